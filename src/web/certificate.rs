//! Until when is a certificate valid, and whose is it? Both stand at fixed places of its DER, as RFC 5280 (section 4.1) lays
//! it out.
//!
//! What is read here was checked as a certificate by rustls, which does not hand them out.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which the first version of certificates did not have.
const VERSION: u8 = 0xa0;

/// Its name as people read it: the common name, 2.5.4.3, with its tag and length.
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

/// The end of a certificate's validity.
pub fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (validity, _) = validity(der)?;
    let (_, _not_before, rest) = element(validity)?;
    let (tag, not_after, _) = element(rest)?;
    time(tag, not_after)
}

/// The common name of the one whose certificate it is; many have none.
pub fn subject(der: &[u8]) -> Option<String> {
    let (_, rest) = validity(der)?;
    let (subject, _) = expect(rest, SEQUENCE)?;
    let at = subject.windows(COMMON_NAME.len()).position(|bytes| bytes == COMMON_NAME)?;
    let (_, name, _) = element(&subject[at + COMMON_NAME.len()..])?;
    std::str::from_utf8(name).ok().map(str::to_owned)
}

/// The validity's content, and what follows it.
fn validity(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (signed, _) = expect(certificate, SEQUENCE)?;
    let rest = expect(signed, VERSION).map_or(signed, |(_, rest)| rest);
    let (_serial, rest) = expect(rest, INTEGER)?;
    let (_algorithm, rest) = expect(rest, SEQUENCE)?;
    let (_issuer, rest) = expect(rest, SEQUENCE)?;
    expect(rest, SEQUENCE)
}

/// The content of an element of this kind, and what follows it.
fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(der).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// The first element: its kind, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // So many bytes hold the length; more than four no certificate has.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn time(tag: u8, digits: &[u8]) -> Option<Timestamp> {
    let digits = std::str::from_utf8(digits).ok()?;
    let digits = match tag {
        // Two digits of the year: from 1950 to 2049.
        UTC_TIME if digits.as_bytes().first()? < &b'5' => format!("20{digits}"),
        UTC_TIME => format!("19{digits}"),
        GENERALIZED_TIME => digits.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", digits).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_found() {
        for (year, expect) in
            [(2031, "2031-03-04T00:00:00Z"), (2049, "2049-03-04T00:00:00Z"), (2051, "2051-03-04T00:00:00Z")]
        {
            assert_eq!(not_after(&certificate(year)), Some(expect.parse().unwrap()));
        }
    }

    #[test]
    fn what_is_cut_short_says_nothing() {
        let der = certificate(2031);
        for length in 0..der.len() {
            assert_eq!(not_after(&der[..length]), None, "{length}");
        }
        for byte in 0..der.len().min(200) {
            let mut wrong = der.clone();
            wrong[byte] ^= 0xff;
            let _ = (not_after(&wrong), subject(&wrong));
        }
    }

    #[test]
    fn the_name_is_found() {
        let mut parameters = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "größe.example");
        let key = rcgen::KeyPair::generate().unwrap();
        let der = parameters.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(subject(&der).as_deref(), Some("größe.example"));
    }
}
