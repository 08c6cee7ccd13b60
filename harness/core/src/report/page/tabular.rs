//! Tables of the page.

use maud::{Markup, html};

/// A head of a column.
pub(super) enum Head {
    /// Of words.
    Words(&'static str),
    /// Of figures, which stand at the right.
    Figures(String),
}

impl Head {
    pub(super) fn figures(text: &str) -> Self {
        Self::Figures(text.to_owned())
    }
}

/// A table; the first cell of each row is its head.
pub(super) fn table(caption: &str, heads: &[Head], rows: &[Vec<Markup>]) -> Markup {
    html! {
        // A wide table scrolls, and what scrolls is reached by keys.
        div.table role="group" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr {
                    @for head in heads {
                        @match head {
                            Head::Words(text) => th scope="col" { (text) },
                            Head::Figures(text) => th.figure scope="col" { (text) },
                        }
                    }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (cell, head) in row.iter().zip(heads).take(1) {
                                @match head {
                                    Head::Words(_) => th scope="row" { (cell) },
                                    Head::Figures(_) => th.figure scope="row" { (cell) },
                                }
                            }
                            @for (cell, head) in row.iter().zip(heads).skip(1) {
                                @match head {
                                    Head::Words(_) => td { (cell) },
                                    Head::Figures(_) => td.figure { (cell) },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A cell of a table.
pub(super) fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

/// A table behind the figure that it is the twin of.
pub(super) fn folded(what: &str, table: &Markup) -> Markup {
    html! { details.twin { summary { (what) } (table) } }
}
