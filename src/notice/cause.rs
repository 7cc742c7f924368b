//! Have several failures one cause? What most of them have in common, in words.

use std::collections::BTreeMap;

use crate::run::Reason;

/// What is known of a failure that may be one of many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failure<'f> {
    pub reason: Option<Reason>,
    pub detail: Option<&'f str>,
    /// The capacities that its job shares with others.
    pub pools: &'f [String],
}

/// What at least three quarters of the failures have in common: what they say, the host that they asked, the pool that they
/// share. That they ended with the same number is said only where nothing else is.
pub fn shared_cause(failures: &[Failure]) -> Option<String> {
    let said =
        |failure: &Failure| failure.detail.map(str::to_owned).or_else(|| Some(failure.reason?.word().to_owned()));
    let is_telling = |failure: &Failure| failure.reason != Some(Reason::ExitCode);
    let telling = |failure: &Failure| said(failure).filter(|_| is_telling(failure)).into_iter().collect();
    let hosts = |failure: &Failure| failure.detail.and_then(host).map(str::to_owned).into_iter().collect();
    let pools = |failure: &Failure| failure.pools.iter().map(|pool| format!("pool {pool}")).collect();
    common(failures, telling)
        .or_else(|| common(failures, hosts))
        .or_else(|| common(failures, pools))
        .or_else(|| common(failures, |failure| said(failure).into_iter().collect()))
}

fn common(failures: &[Failure], of: impl Fn(&Failure) -> Vec<String>) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for failure in failures {
        let mut names = of(failure);
        names.dedup();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
    }
    let (name, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count > 1 && count * 4 >= failures.len() * 3).then_some(name)
}

/// The host of the first address in a text.
fn host(text: &str) -> Option<&str> {
    let at = ["https://", "http://"].iter().filter_map(|scheme| Some(text.find(scheme)? + scheme.len())).min()?;
    let authority = text[at..].split(|c: char| c.is_whitespace() || "/?#\"'`,;".contains(c)).next()?;
    let host = authority.rsplit('@').next()?;
    // A number in brackets has colons of its own.
    let host = match host.split_once(']') {
        Some((number, _)) => number.trim_start_matches('['),
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_have_in_common_is_the_cause() {
        let pools = ["db".to_owned()];
        let check = |failures: &[(Reason, &str, bool)], expect: Option<&str>| {
            let failures: Vec<Failure> = failures
                .iter()
                .map(|(reason, detail, is_pooled)| Failure {
                    reason: Some(*reason),
                    detail: (!detail.is_empty()).then_some(*detail),
                    pools: if *is_pooled { &pools } else { &[] },
                })
                .collect();
            assert_eq!(shared_cause(&failures).as_deref(), expect);
        };
        let (exit, none, http) = (Reason::ExitCode, Reason::NoProgram, Reason::Expectation);
        check(&[], None);
        check(&[(none, "no `a`", false)], None);
        check(&[(none, "no `a`", false), (none, "no `a`", false)], Some("no `a`"));
        check(&[(none, "no `a`", false), (none, "no `b`", false)], None);
        check(&[(none, "", false); 3], Some("no-program"));
        let three = [(none, "no `a`", false); 3];
        check(&[three.as_slice(), &[(exit, "exit status 1", false)]].concat(), Some("no `a`"));
        check(&[&three[..2], &[(exit, "exit status 1", false)]].concat(), None);
        check(&[(exit, "exit status 1", true), (exit, "exit status 2", true)], Some("pool db"));
        check(&[(exit, "exit status 1", false), (exit, "exit status 1", false)], Some("exit status 1"));
        check(&[(exit, "exit status 1", true), (exit, "exit status 1", true)], Some("pool db"));
        let asked = [
            (http, "https://u:p@a.example:8443/x: status 500, not 200", false),
            (http, "2 of 3 requests failed; the first: http://a.example: timed out", false),
        ];
        check(&asked, Some("a.example"));
        assert_eq!(host("see http://[::1]:80/x"), Some("::1"));
        assert_eq!(host("http://"), None);
    }
}
