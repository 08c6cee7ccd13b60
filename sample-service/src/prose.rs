//! Text of a wanted length: what a real shop has from its customers and authors.

const TEXT: &str = "Turned from seasoned walnut and finished with oil, it outlasts the table that it stands on. ";

/// Text of exactly `bytes` bytes, in one allocation; `seed` picks where it starts.
pub fn of_length(bytes: usize, seed: u64) -> String {
    let mut text = String::with_capacity(bytes);
    let start = usize::try_from(seed % TEXT.len() as u64).unwrap_or(0);
    text.push_str(&TEXT[start..start + bytes.min(TEXT.len() - start)]);
    while text.len() < bytes {
        text.push_str(&TEXT[..TEXT.len().min(bytes - text.len())]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_exactly_the_wanted_length() {
        for bytes in [0, 1, 50, 91, 92, 93, 500] {
            for seed in [0, 40, 91, 1_000] {
                let text = of_length(bytes, seed);
                assert_eq!((text.len(), text.capacity()), (bytes, bytes), "seed {seed}");
            }
        }
    }
}
