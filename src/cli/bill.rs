//! `wxpay bill`: downloads the bill of a day and prints its rows.

use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::path::Path;

use clap::ValueEnum;
use flate2::read::MultiGzDecoder;
use http::Method;
use serde_json::{Map, Value, json};

use super::args::{Account, Bill as Arguments, ConfigArgs};
use super::failure::Failure;
use super::output;
use super::settings::{self, Settings};
use crate::client::Client;
use crate::clock;
use crate::error::Error;
use crate::options::Options;
use crate::proto::bill::Bill;
use crate::transport::sink;

/// The first bytes of a gzip file.
const GZIP: &[u8] = &[0x1f, 0x8b];

pub(super) fn run(config: &ConfigArgs, arguments: &Arguments) -> Result<(), Failure> {
    let (path, query) = request(arguments)?;
    let client = settings::client_builder(config, Settings::default())?.build()?;
    let text = download(&client, path, query)?;
    let printed = if arguments.raw {
        text
    } else {
        let text = String::from_utf8(text)
            .map_err(|_| Failure::decode("the bill is not valid UTF-8: --raw prints it unchanged"))?;
        let bill = Bill::parse(&text)?;
        if arguments.json {
            as_json(&bill)
        } else {
            let summary: Vec<String> = bill.summary().iter().map(|(name, value)| format!("{name} {value}")).collect();
            output::stderr_line(&summary.join(", "));
            as_csv(&bill)
        }
    };
    match &arguments.output {
        Some(path) => write(path, &printed),
        None => output::check(output::bytes(&printed)),
    }
}

/// The path and the query of the call that returns the download URL of the bill.
fn request(arguments: &Arguments) -> Result<(&'static str, Value), Failure> {
    let mut query = Map::new();
    let mut put = |name: &str, value: &str| drop(query.insert(name.to_owned(), value.into()));
    put("bill_date", &date(&arguments.date)?);
    if let Some(sub_mchid) = &arguments.sub_mchid {
        put("sub_mchid", sub_mchid);
    }
    let path = match arguments.account {
        None => {
            put("bill_type", &arguments.bill_type.map_or_else(|| "ALL".to_owned(), name));
            "v3/bill/tradebill"
        }
        Some(Account::Deposit) if arguments.sub_mchid.is_none() => {
            return Err(Failure::usage("the account DEPOSIT belongs to a sub-merchant: give it with --sub-mchid"));
        }
        Some(account) => {
            put("account_type", &name(account));
            if arguments.sub_mchid.is_some() {
                put("algorithm", "AEAD_AES_256_GCM");
                "v3/bill/sub-merchant-fundflowbill"
            } else {
                "v3/bill/fundflowbill"
            }
        }
    };
    put("tar_type", "GZIP");
    Ok((path, query.into()))
}

/// The name that the service uses for the value of an argument.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Converts the argument `DATE` to a date.
fn date(argument: &str) -> Result<String, Failure> {
    const DAY: i64 = 86_400;
    match argument {
        "today" => return Ok(clock::china_date(clock::now())),
        "yesterday" => return Ok(clock::china_date(clock::now() - DAY)),
        _ => {}
    }
    let form = "0000-00-00";
    let has_form = argument.len() == form.len()
        && argument.bytes().zip(form.bytes()).all(|(byte, form)| byte == form || form == b'0' && byte.is_ascii_digit());
    let number = |range: Range<usize>| argument.get(range).and_then(|digits| digits.parse::<u16>().ok());
    if has_form {
        let (year, month, day) = (number(0..4), number(5..7), number(8..10));
        let month = month.and_then(|month| time::Month::try_from(u8::try_from(month).ok()?).ok());
        let date = month
            .zip(day)
            .and_then(|(month, day)| time::Date::from_calendar_date(year?.into(), month, u8::try_from(day).ok()?).ok());
        return match date {
            Some(_) => Ok(argument.to_owned()),
            None => Err(Failure::usage(format!("{argument} is not a day of the calendar"))),
        };
    }
    Err(Failure::usage(format!("{argument:?} is not a date such as 2026-11-29, yesterday or today")))
}

/// Downloads a bill to a temporary file, which is deleted afterwards, and decompresses it. The
/// client checks the digest, which is that of the decompressed file.
fn download(client: &Client, path: &str, query: Value) -> Result<Vec<u8>, Failure> {
    let offer = client.chain(path).send(Method::GET, Options::from(json!({ "query": query }))).wait();
    let offer = offer.map_err(no_statement)?;
    let failed = |error: io::Error| Failure::local_io(format!("the temporary file of the bill: {error}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let file = folder.path().join("bill");
    client.download(&offer)?.save(&file)?;
    let bytes = std::fs::read(&file).map_err(failed)?;
    if !bytes.starts_with(GZIP) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    match MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::decode(format!("the bill cannot be decompressed: {error}"))),
    }
}

/// Adds the possible reasons to the error of a bill that does not exist.
fn no_statement(error: Error) -> Failure {
    let has_no_bill = error.code() == Some("NO_STATEMENT_EXIST");
    let mut failure = Failure::from(error);
    if has_no_bill {
        failure.message += "; the bill of a day exists from about 10:00 of the next day, in China's time zone, and only if \
                            the day had transactions (in the sandbox, wxpay sandbox bills makes the bill of today)";
    }
    failure
}

/// Writes the bill as JSON, with each row on its own line, so that it can be read line by line.
fn as_json(bill: &Bill<'_>) -> Vec<u8> {
    let rows: Vec<String> = bill.rows().map(|row| json!(row).to_string()).collect();
    format!("{{\"rows\":[\n{}\n],\"summary\":{}}}\n", rows.join(",\n"), json!(bill.summary())).into_bytes()
}

fn as_csv(bill: &Bill<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_record(&mut out, bill.columns().iter().copied());
    for row in bill.rows() {
        write_record(&mut out, row.iter().map(|(_, value)| value));
    }
    out
}

/// Writes a line of CSV. A value with a comma or a quotation mark is quoted (RFC 4180).
fn write_record<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = &'a str>) {
    for (index, value) in values.enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let is_quoted = value.contains([',', '"', '\r', '\n']);
        // Writing to a vector does not fail.
        let _ = match is_quoted {
            true => write!(out, "{separator}\"{}\"", value.replace('"', "\"\"")),
            false => write!(out, "{separator}{value}"),
        };
    }
    out.push(b'\n');
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    sink::replace_file(path, bytes)
        .map_err(|error| Failure::local_io(format!("{} cannot be written: {error}", path.display())))?;
    output::note(&format!("{} bytes written to {}", bytes.len(), path.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_csv_needs_it() {
        let text = "a,b\r\n`1, \"2\",`3\r\n总交易单数\r\n`1\r\n";
        let bill = Bill::parse(text).expect("a bill");
        assert_eq!(String::from_utf8(as_csv(&bill)).expect("text"), "a,b\n\"1, \"\"2\"\"\",3\n");
    }

    #[test]
    fn dates_are_days_in_china() {
        assert_eq!(date("2026-11-29").map_err(|failure| failure.message), Ok("2026-11-29".to_owned()));
        for wrong in [
            "20261129",
            "2026-11-9",
            "2026-11-29 ",
            "",
            "tomorrow",
            "２026-11-29",
            "2026-11-31",
            "2026-02-29",
            "2026-13-01",
        ] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
        assert_eq!(clock::china_date(1_528_473_600), "2018-06-09", "midnight in China is 16:00 UTC");
        assert_eq!(clock::china_date(1_528_473_599), "2018-06-08");
    }
}
