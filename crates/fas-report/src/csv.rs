//! Comma-separated text (RFC 4180) behind every figure and table.

/// One header line and one line a row; fields with a comma, quote or line break are quoted.
pub(crate) fn to_csv<'a>(
    header: impl IntoIterator<Item = &'a str>,
    rows: impl IntoIterator<Item = &'a Vec<String>>,
) -> String {
    let mut text = String::new();
    push_line(&mut text, header);
    for row in rows {
        push_line(&mut text, row.iter().map(String::as_str));
    }
    text
}

fn push_line<'a>(text: &mut String, fields: impl IntoIterator<Item = &'a str>) {
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        if field.contains([',', '"', '\n', '\r']) {
            text.push('"');
            text.push_str(&field.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(field);
        }
    }
    text.push('\n');
}

/// A file name made of a title: lower-case letters, digits and single hyphens.
pub(crate) fn file_stem(title: &str) -> String {
    let mut stem = String::new();
    for character in title.chars() {
        if character.is_ascii_alphanumeric() {
            stem.push(character.to_ascii_lowercase());
        } else if !stem.is_empty() && !stem.ends_with('-') {
            stem.push('-');
        }
    }
    let stem = stem.trim_end_matches('-');
    if stem.is_empty() {
        "data".to_owned()
    } else {
        stem.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_where_needed() {
        let rows = [
            vec!["a,b".to_owned(), "1".to_owned()],
            vec!["say \"x\"".to_owned(), String::new()],
        ];
        assert_eq!(
            to_csv(["name", "value"], &rows),
            "name,value\n\"a,b\",1\n\"say \"\"x\"\"\",\n"
        );
    }

    #[test]
    fn file_stems_are_portable() {
        assert_eq!(file_stem("ROC, target (sim-C)"), "roc-target-sim-c");
        assert_eq!(file_stem("…"), "data");
    }
}
