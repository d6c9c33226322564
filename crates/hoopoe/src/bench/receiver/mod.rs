//! The bare receiver, a process of its own so that its CPU is counted by itself. Answers by path, records when each event's
//! first byte came, and takes commands as lines on stdin. It ends when stdin does, so it never outlives the benchmark.

mod book;
mod connection;
mod control;
mod parse;

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use book::Book;
pub(in crate::bench) use book::{Behaviour, Counts};
pub(in crate::bench) use control::Receiver;

use super::listener::listen;

/// What the receiver prints when it listens, before its port.
pub(in crate::bench) const READY: &str = "receiving on port ";

/// Runs the receiver until stdin ends.
///
/// # Errors
/// No port can be had, or the pipes to the benchmark broke.
pub(crate) fn run(threads: usize, slots: usize) -> anyhow::Result<()> {
    crate::descriptors::raise_limit();
    let book = Arc::new(Book::new(slots));
    let served = Arc::clone(&book);
    let port =
        listen("receiver", threads, move || move |stream| connection::serve(stream, Arc::clone(&served)))?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{READY}{port}")?;
    stdout.flush()?;
    for line in std::io::stdin().lock().lines() {
        let answer = obey(&book, &line.context("the benchmark's commands cannot be read")?)?;
        stdout.write_all(&answer)?;
        stdout.flush()?;
    }
    Ok(())
}

/// The answer to one command. Every answer is one line; `times` is followed by as many bytes as its line says.
fn obey(book: &Book, line: &str) -> anyhow::Result<Vec<u8>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |n: usize| -> anyhow::Result<u64> {
        let word = words.get(n).with_context(|| format!("`{line}` lacks a number"))?;
        word.parse().with_context(|| format!("`{word}` in `{line}` is no number"))
    };
    let answer = match words.first() {
        Some(&"round") => {
            book.begin(number(1)?, number(2)?);
            b"ok\n".to_vec()
        }
        Some(&"counts") => format!("{}\n", book.counts()).into_bytes(),
        Some(&"switch") => {
            book.switch_to(
                Behaviour::parse(&words[1..]).with_context(|| format!("`{line}` is not understood"))?,
            );
            b"ok\n".to_vec()
        }
        Some(&"times") => {
            let times = book.times(number(1)?, number(2)?);
            let mut answer = format!("{}\n", times.len() * 8).into_bytes();
            answer.extend(times.iter().flat_map(|time| time.to_le_bytes()));
            answer
        }
        _ => bail!("`{line}` is no command of the receiver"),
    };
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_answered_and_nonsense_is_refused() {
        let book = Book::new(8);
        assert_eq!(obey(&book, "round 5 1").unwrap(), b"ok\n");
        book.arrived(6, 77);
        let times = obey(&book, "times 5 3").unwrap();
        assert_eq!(times, [&b"24\n"[..], &[0; 8], &77u64.to_le_bytes(), &[0; 8]].concat());
        for good in ["counts", "switch fail", "switch wait 20"] {
            assert!(obey(&book, good).unwrap().ends_with(b"\n"), "{good}");
        }
        for bad in ["", "round", "round x 1", "switch", "switch wait", "dance"] {
            assert!(obey(&book, bad).is_err(), "{bad}");
        }
    }
}
