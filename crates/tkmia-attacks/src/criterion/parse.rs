//! [`parse`]: criteria from the text that experiments and command lines hold.

use std::iter::Peekable;
use std::sync::Arc;

use super::{And, By, CRITERION_NAMES, NAMED, Not, Or, Shared};

/// A text that is no criterion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown criterion `{found}`: expected one of {names}, the last three as in target-set(1, 2), \
     ordered-top-k(2, 1), measure-budget(ndcg, 0.05), or several with `and`, `or` and `not`; and after them, as in \
     excluded by 2.5, a margin above 0 for the attack",
    names = CRITERION_NAMES.join(", ")
)]
pub struct UnknownCriterion {
    found: String,
}

/// Parentheses and negations in a criterion at most.
const MOST_NESTED: usize = 64;

/// Reads a criterion: `by` binds least, then `or`, `and` and `not`.
///
/// # Errors
/// [`UnknownCriterion`] with the whole text or the part of it that isn't one.
pub(super) fn parse(text: &str) -> Result<Shared, UnknownCriterion> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace(',', " , ");
    let words = spaced.split_whitespace();
    // Each is a call within the calls of those before it.
    if words.clone().filter(|word| ["(", "not"].contains(word)).count() > MOST_NESTED {
        let found = format!("more than {MOST_NESTED} `(` and `not`");
        return Err(UnknownCriterion { found });
    }
    let mut words = words.collect::<Vec<_>>().into_iter().peekable();
    let parsed = either(&mut words).and_then(|parsed| match (words.next(), words.next()) {
        (None, _) => Ok(parsed),
        (Some("by"), Some(margin)) if words.next().is_none() => beyond(parsed, margin),
        _ => Err(text.to_owned()),
    });
    parsed.map_err(|found| UnknownCriterion { found })
}

/// A criterion with its margin.
fn beyond(criterion: Shared, margin: &str) -> Result<Shared, String> {
    let margin = match margin.parse() {
        Ok(margin) if 0.0 < margin && margin < f64::INFINITY => margin,
        _ => return Err(format!("by {margin}")),
    };
    Ok(Arc::new(By { criterion, margin }))
}

/// Names, numbers and signs.
type Words<'a> = Peekable<std::vec::IntoIter<&'a str>>;

fn either(words: &mut Words<'_>) -> Result<Shared, String> {
    several(words, "or", both, |parts| Arc::new(Or(parts)))
}

fn both(words: &mut Words<'_>) -> Result<Shared, String> {
    several(words, "and", one, |parts| Arc::new(And(parts)))
}

/// Parts with a word between them; a single one as it is.
fn several(
    words: &mut Words<'_>,
    between: &str,
    part: fn(&mut Words<'_>) -> Result<Shared, String>,
    join: fn(Vec<Shared>) -> Shared,
) -> Result<Shared, String> {
    let mut parts = vec![part(words)?];
    while words.next_if_eq(&between).is_some() {
        parts.push(part(words)?);
    }
    Ok(if parts.len() > 1 { join(parts) } else { parts.remove(0) })
}

/// `not`, parentheses, or a name and its arguments.
fn one(words: &mut Words<'_>) -> Result<Shared, String> {
    let name = words.next().unwrap_or_default();
    match name {
        "not" => return Ok(Arc::new(Not(one(words)?))),
        "(" => {
            let inner = either(words)?;
            return match words.next() {
                Some(")") => Ok(inner),
                found => Err(found.unwrap_or("(").to_owned()),
            };
        }
        _ => {}
    }
    let mut arguments = Vec::new();
    if words.next_if_eq(&"(").is_some() {
        loop {
            let argument = words.next().unwrap_or_default();
            arguments.push(argument);
            match words.next() {
                Some(")") => break,
                Some(",") => {}
                _ => return Err(format!("{name}({}", arguments.join(", "))),
            }
        }
    }
    let made =
        NAMED.iter().find(|(known, _)| *known == name).and_then(|(_, make)| make(&arguments));
    made.ok_or_else(|| match arguments.is_empty() {
        true => name.to_owned(),
        false => format!("{name}({})", arguments.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        parse(text).map(|found| found.to_string()).map_err(|error| error.found)
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "excluded",
            "target-set(1, 4)",
            "ordered-top-k(3, 1)",
            "measure-budget(ndcg, 0.05)",
            "excluded and precision-preserved",
            "excluded or (imperceptible and target-reached)",
            "not(all-relevant-out)",
            "not(excluded and measure-preserving)",
            "excluded by 2.5",
            "excluded and precision-preserved by 1000000",
        ] {
            assert_eq!(read(text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn or_binds_less_than_and_and_spaces_do_not_count() {
        let grouped = "(excluded and imperceptible) or target-reached";
        assert_eq!(read("excluded and imperceptible or target-reached"), Ok(grouped.to_owned()));
        assert_eq!(read(" not  excluded "), Ok("not(excluded)".to_owned()));
        assert_eq!(read("ordered-top-k(3,1)"), Ok("ordered-top-k(3, 1)".to_owned()));
    }

    #[test]
    fn what_is_no_criterion_is_named() {
        for (text, found) in [
            ("", ""),
            ("invisible", "invisible"),
            ("excluded and invisible", "invisible"),
            ("excluded(2)", "excluded(2)"),
            ("ordered-top-k", "ordered-top-k"),
            ("ordered-top-k(a)", "ordered-top-k(a)"),
            ("target-set(1", "target-set(1"),
            ("measure-budget(ndcg)", "measure-budget(ndcg)"),
            ("measure-budget(beauty, 0.1)", "measure-budget(beauty, 0.1)"),
            ("excluded excluded", "excluded excluded"),
            ("(excluded", "("),
            ("excluded by", "excluded by"),
            ("excluded by 0", "by 0"),
            ("excluded by inf", "by inf"),
            ("excluded by 1 and imperceptible", "excluded by 1 and imperceptible"),
        ] {
            assert_eq!(read(text), Err(found.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_nested_without_end_is_refused() {
        for nest in ["(", "not "] {
            let text = nest.repeat(100_000) + "excluded";
            assert_eq!(read(&text), Err("more than 64 `(` and `not`".to_owned()));
        }
    }

    #[test]
    fn every_name_of_the_list_is_known() {
        for name in CRITERION_NAMES {
            let arguments = ["", "(1)", "(p, 0.5)"].map(|given| format!("{name}{given}"));
            assert!(arguments.iter().any(|text| parse(text).is_ok()), "{name}");
        }
    }
}
