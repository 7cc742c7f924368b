//! What does an attempt write? Lines as programs write them, when it goes well and when it does not.

use super::chance::Dice;
use super::scene::{Scene, Trouble};
use crate::run::Stream;

/// A piece of what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When, of a thousand parts of the attempt.
    pub after: u32,
    pub stream: Stream,
    pub text: String,
    /// Bytes before it that were not kept.
    pub cut: u64,
}

fn out(after: u32, text: impl Into<String>) -> Said {
    Said { after, stream: Stream::Stdout, text: text.into() + "\n", cut: 0 }
}

fn err(after: u32, text: impl Into<String>) -> Said {
    Said { stream: Stream::Stderr, ..out(after, text) }
}

/// One in so many outputs of jobs made by the thousand has the word that is rare.
const RARE: u64 = 100_000;
/// For measuring how long it takes to find a word that hardly any output has.
pub const RARE_WORD: &str = "quetzal";

/// All that an attempt writes, in order.
pub fn speak(scene: Scene, trouble: Trouble, dice: &mut Dice) -> Vec<Said> {
    let failed = !matches!(trouble, Trouble::None | Trouble::Slow(_));
    match (scene.job, scene.step) {
        ("backup", _) => backup(failed, dice),
        ("verify-backup", _) => vec![
            out(20, "restoring into scratch_verify"),
            out(990, format!("214 tables, {} rows, checksums agree", dice.between(48_100_000, 48_900_000))),
        ],
        ("certificates", _) => certificates(scene.number),
        ("report", _) if failed => vec![
            out(100, "reading orders"),
            err(900, "Traceback (most recent call last):\n  File \"/srv/reports/sales.py\", line 88, in <module>"),
            err(910, "KeyError: 'EUR'"),
        ],
        ("report", _) => vec![
            out(100, "reading orders"),
            out(
                980,
                format!("wrote /srv/reports/sales.html, {} orders", dice.between(4_000, 4_900) + scene.passed * 20),
            ),
        ],
        ("health", _) if failed => {
            vec![err(950, "curl: (22) The requested URL returned error: 503 Service Unavailable")]
        }
        ("health", _) => vec![out(950, format!("200 in {} ms", dice.between(41, 160)))],
        ("mirror", _) => mirror(failed, dice),
        ("etl", step) => etl(step, failed, dice),
        ("import", _) => import(trouble, dice),
        ("invoices", _) => vec![out(970, format!("{} invoices sent", dice.between(22, 61)))],
        ("thumbnails", _) if failed => {
            vec![out(10, "reading /srv/pictures/new"), err(400, "big.tiff: 30000 x 22000 pixels")]
        }
        ("thumbnails", _) => vec![out(990, format!("{} pictures", dice.between(20, 180)))],
        ("compact", _) => {
            vec![out(10, "packing /var/log/shop"), out(980, format!("packed {} files", dice.between(3, 9)))]
        }
        ("sensors", _) if failed => vec![err(300, "rack 2: no answer on 0x48")],
        ("sensors", _) => sensors(dice),
        ("licence-check", _) => vec![out(900, format!("{} of 20 seats free", dice.between(2, 9)))],
        ("warm-cache", _) => vec![out(980, format!("{} pages", dice.between(1_700, 1_900)))],
        ("tidy", _) => vec![out(900, format!("removed {} files", dice.between(0, 40)))],
        _ => one_of_many(scene, failed, dice),
    }
}

fn backup(failed: bool, dice: &mut Dice) -> Vec<Said> {
    let mut said = vec![out(5, "pg_dump: dumping database shop, 214 tables")];
    if failed {
        said.push(out(300, "pg_dump: dumping table public.orders"));
        said.push(err(990, "pg_dump: error: could not write to output file: No space left on device"));
        said.push(err(992, "/var/backups: 0 bytes free of 40 GiB"));
    } else {
        let size = dice.between(3_050, 3_190);
        said.push(out(960, "pg_dump: finished"));
        said.push(out(995, format!("/var/backups/shop.dump: {}.{} GiB", size / 1000, size % 1000 / 100)));
    }
    said
}

fn certificates(number: u64) -> Vec<Said> {
    let left = 33_u64.saturating_sub(number);
    if number % 4 == 3 {
        return vec![
            out(100, format!("shop.example.org: {left} days left, renewing")),
            out(700, "order valid, challenge http-01 answered"),
            out(980, "shop.example.org: renewed, 90 days left; nginx reloaded"),
        ];
    }
    vec![out(950, format!("shop.example.org: {left} days left, nothing to do"))]
}

fn mirror(failed: bool, dice: &mut Dice) -> Vec<Said> {
    if failed {
        return vec![
            err(980, "[Receiver] io timeout after 10 seconds -- exiting"),
            err(990, "rsync error: timeout in data send/receive (code 30) at io.c(195) [Receiver=3.2.7]"),
        ];
    }
    let received = dice.between(20_000, 900_000);
    vec![out(50, "receiving incremental file list"), out(990, format!("sent 812 bytes, received {received} bytes"))]
}

fn etl(step: &str, failed: bool, dice: &mut Dice) -> Vec<Said> {
    match step {
        "extract" => vec![out(990, format!("{} rows", dice.between(47_000, 49_000)))],
        "transform" if failed => vec![
            out(300, "checking currencies"),
            err(990, "transform: 3 orders in `XTS`, which is no currency; add it to currencies.csv"),
        ],
        "transform" => vec![out(300, "checking currencies"), out(990, "3 rows set aside")],
        "load" => vec![out(990, "loaded into warehouse.orders")],
        _ => vec![out(900, "removed /tmp/etl")],
    }
}

/// A large list says a line for each hundred prices, of which the middle is not kept.
fn import(trouble: Trouble, dice: &mut Dice) -> Vec<Said> {
    match trouble {
        Trouble::Hangs => vec![out(1, "fetching prices.xml from ftp.supplier.example")],
        Trouble::Slow(_) => {
            let line = |number: u64| format!("price list 7: {number} prices\n");
            let begin: String = (1..=400).map(|hundred| line(hundred * 100)).collect();
            let end: String = (31_600..32_000).map(|hundred| line(hundred * 100)).collect();
            let last = Said { cut: 31_199 * 33, ..out(995, end.trim_end()) };
            vec![out(2, begin.trim_end()), last]
        }
        Trouble::None | Trouble::Code(_) | Trouble::Signal(_) | Trouble::NoProgram | Trouble::StoppedByHand => {
            vec![out(60, "fetching prices.xml"), out(990, format!("{} prices", dice.between(900, 1_600)))]
        }
    }
}

fn sensors(dice: &mut Dice) -> Vec<Said> {
    let one = dice.between(208, 224);
    let two = dice.between(212, 229);
    vec![out(800, format!("rack 1: {}.{} °C, rack 2: {}.{} °C", one / 10, one % 10, two / 10, two % 10))]
}

fn one_of_many(scene: Scene, failed: bool, dice: &mut Dice) -> Vec<Said> {
    if failed {
        return vec![out(100, "connecting"), err(900, "error: connection reset by peer (os error 104)")];
    }
    let what = if dice.between(0, RARE) == 0 { RARE_WORD } else { "items" };
    vec![out(900, format!("{}: {} {what} done", scene.job, dice.between(1, 5_000)))]
}
