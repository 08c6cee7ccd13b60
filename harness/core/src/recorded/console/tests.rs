use super::*;

#[test]
fn a_moment_before_a_row_is_split_off() {
    let split = |line| {
        let (moment, rest) = leading_moment(line, &mut None);
        (moment.map(str::to_owned), rest.to_owned())
    };
    let with = |moment: &str, rest: &str| (Some(moment.to_owned()), rest.to_owned());
    assert_eq!(split("08:00:00 AM   0  7"), with("08:00:00 AM", "0  7"));
    assert_eq!(split("1790000000 VmRSS: 8 kB"), with("1790000000", "VmRSS: 8 kB"));
    assert_eq!(split("Mon Nov  2 08:00:00 UTC 2026 x"), with("Mon Nov  2 08:00:00 UTC 2026", "x"));
    assert_eq!(split("Nov 02 08:00:00  7 8 web"), with("Nov 02 08:00:00", "7 8 web"));
    assert_eq!(split("370574 8 web"), (None, "370574 8 web".to_owned()));
}

#[test]
fn text_that_no_tool_prints_is_no_screen() {
    for text in ["", "t_s,rss_bytes\n1,2\n", "hello world\n1 2\n", "PID RSS COMMAND\n", "{\"RSS\":1}\n"] {
        assert!(console(text).is_none(), "{text:?}");
    }
}
