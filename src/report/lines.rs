//! Where does a line end? Between words, by the columns that they take.

use unicode_width::UnicodeWidthStr;

/// A text in lines of so many columns, broken between words.
pub fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines
            .last_mut()
            .filter(|line| line.is_empty() || width.is_none_or(|width| columns(line) + 1 + columns(word) <= width));
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How many columns a text takes; what colours it takes none.
pub fn columns(text: &str) -> usize {
    let mut parts = text.split('\u{1b}');
    let plain = parts.next().map_or(0, UnicodeWidthStr::width);
    plain + parts.map(|part| part.split_once('m').map_or(part, |(_, rest)| rest).width()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_room() {
        assert_eq!(columns("\u{1b}[1;31merror:\u{1b}[0m größe"), 12);
        assert_eq!(wrap("\u{1b}[31maa\u{1b}[0m bb cc", Some(5)).len(), 2);
    }

    #[test]
    fn no_word_is_cut() {
        assert_eq!(wrap("no word is cut", Some(8)), ["no word", "is cut"]);
        assert_eq!(wrap("unbreakable word", Some(4)), ["unbreakable", "word"]);
        assert_eq!(wrap("as it is", None), ["as it is"]);
    }
}
