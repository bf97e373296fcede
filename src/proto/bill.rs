//! Trade bills and fund-flow bills: the text of a bill as rows.
//!
//! Source: WeChat Pay, "交易账单文件格式说明" and "资金账单文件格式说明".

use std::fmt;

use serde::{Serialize, Serializer};

use crate::error::{Error, ErrorKind};

/// The mark before each value. It makes spreadsheets show the value as text.
const MARK: char = '`';
/// The separator of two values in a row. A value may contain a comma, as in the name of a product.
const SEPARATOR: &str = ",`";
/// The columns of a summary that contain the number of rows.
const COUNTS: [&str; 2] = ["总交易单数", "资金流水总笔数"];

/// A trade bill or a fund-flow bill. [`Download::text`](crate::Download::text) downloads its text
/// and checks its digest.
///
/// A bill consists of the names of the columns, one row for each payment, refund or entry, and a
/// summary. The columns depend on the type of the bill, so read values by the name of their column.
/// Amounts are in yuan; [`BillRow::fen`] converts them exactly.
///
/// ```
/// use wechatpay_chain::Bill;
///
/// let text = "交易时间,商户订单号,订单金额,商品名称\r\n\
///             `2026-11-29 10:00:00,`order-1,`12.30,`pen, blue\r\n\
///             总交易单数,订单总金额\r\n\
///             `1,`12.30\r\n";
/// let bill = Bill::parse(text)?;
/// for row in bill.rows() {
///     assert_eq!(row.get("商品名称"), Some("pen, blue"));
///     assert_eq!(row.fen("订单金额")?, 1230);
/// }
/// assert_eq!(bill.summary().get("总交易单数"), Some("1"));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
pub struct Bill<'a> {
    columns: Vec<&'a str>,
    rows: Vec<&'a str>,
    summary_columns: Vec<&'a str>,
    summary: &'a str,
}

/// A row of a bill, or its summary. It is serialized as a map from the names of the columns to the
/// values, in the order of the bill. All values are text.
///
/// ```
/// use wechatpay_chain::Bill;
///
/// let text = "商户订单号,订单金额\n`order-1,`12.30\n总交易单数,订单总金额\n`1,`12.30\n";
/// let bill = Bill::parse(text)?;
/// let rows = serde_json::to_value(bill.rows().collect::<Vec<_>>())?;
/// assert_eq!(rows, serde_json::json!([{ "商户订单号": "order-1", "订单金额": "12.30" }]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct BillRow<'a> {
    columns: &'a [&'a str],
    line: &'a str,
}

impl<'a> Bill<'a> {
    /// Reads the text of a whole bill, after decompression. Lines end with CRLF or LF; a byte order
    /// mark is ignored.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the bill is not complete: the summary is missing, a row
    /// does not have one value for each column, or the number of rows differs from that of the
    /// summary. A bill that is cut within the last value of its summary is not detected here, but
    /// by the digest of its download.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end_matches(['\r', '\n']);
        let mut rows: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
        let summary = rows.pop().unwrap_or_default();
        let summary_columns = rows.pop().filter(|line| !line.starts_with(MARK) && !rows.is_empty());
        let (Some(summary_columns), true) = (summary_columns, summary.starts_with(MARK)) else {
            return Err(invalid("the text is not a complete bill: it does not end with the two lines of a summary"));
        };
        let columns = columns(rows.remove(0), 1)?;
        let summary_columns = self::columns(summary_columns, rows.len() + 2)?;
        for (line, number) in rows.iter().zip(2..) {
            check_row(line, columns.len(), number)?;
        }
        check_row(summary, summary_columns.len(), rows.len() + 3)?;
        let bill = Bill { columns, rows, summary_columns, summary };
        bill.check_count()?;
        Ok(bill)
    }

    /// The names of the columns, in the order of the bill.
    #[must_use]
    pub fn columns(&self) -> &[&'a str] {
        &self.columns
    }

    /// The rows, in the order of the bill. There are none if the bill has only a summary.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = BillRow<'_>> {
        self.rows.iter().map(|line| BillRow { columns: &self.columns, line })
    }

    /// The summary: counts and sums under their own column names.
    #[must_use]
    pub fn summary(&self) -> BillRow<'_> {
        BillRow { columns: &self.summary_columns, line: self.summary }
    }

    fn check_count(&self) -> Result<(), Error> {
        let Some(count) = COUNTS.iter().find_map(|column| self.summary().get(column)) else { return Ok(()) };
        // Older bills contain counts such as "20.0".
        let digits = count
            .split_once('.')
            .map_or(count, |(digits, rest)| if rest.bytes().all(|byte| byte == b'0') { digits } else { count });
        match digits.parse::<usize>() {
            Ok(stated) if stated == self.rows.len() => Ok(()),
            Ok(stated) => {
                Err(invalid(format!("the summary of the bill counts {stated} rows, and it has {}", self.rows.len())))
            }
            Err(_) => Err(invalid("the number of rows in the summary of the bill is not a number")),
        }
    }
}

impl<'a> BillRow<'a> {
    /// The value of a column, without the backquote. `None` if the bill does not have the column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&'a str> {
        self.iter().find_map(|(name, value)| (name == column).then_some(value))
    }

    /// The names of the columns with the values, in the order of the bill.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.columns.iter().copied().zip(values(self.line))
    }

    /// The amount of a column in fen. The bill contains it in yuan, such as `12.30`, or `-12.30`.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the bill does not have the column, or if the value is
    /// not an amount with a whole number of fen. Fees can have more decimals: read their text with
    /// [`get`](Self::get).
    pub fn fen(&self, column: &str) -> Result<i64, Error> {
        let value = self.get(column).ok_or_else(|| invalid(format!("the bill does not have the column {column:?}")))?;
        fen(value).ok_or_else(|| {
            invalid(format!("the value of the column {column:?} is not an amount in yuan with a whole number of fen"))
        })
    }
}

impl Serialize for BillRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl fmt::Debug for Bill<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bill").field("columns", &self.columns).field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for BillRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BillRow").field("columns", &self.columns).finish_non_exhaustive()
    }
}

fn columns(line: &str, number: usize) -> Result<Vec<&str>, Error> {
    let columns: Vec<&str> = line.split(',').collect();
    let mut sorted = columns.clone();
    sorted.sort_unstable();
    let is_valid =
        !line.starts_with(MARK) && sorted.first() != Some(&"") && sorted.windows(2).all(|two| two[0] != two[1]);
    if is_valid {
        return Ok(columns);
    }
    Err(invalid(format!("line {number} of the bill does not contain the names of columns, each of them once")))
}

fn check_row(line: &str, columns: usize, number: usize) -> Result<(), Error> {
    if !line.starts_with(MARK) {
        return Err(invalid(format!("line {number} of the bill does not begin with a backquote, as a row does")));
    }
    let values = values(line).count();
    if values != columns {
        return Err(invalid(format!("line {number} of the bill has {values} values for {columns} columns")));
    }
    Ok(())
}

fn values(line: &str) -> impl Iterator<Item = &str> {
    line.strip_prefix(MARK).unwrap_or(line).split(SEPARATOR)
}

fn fen(yuan: &str) -> Option<i64> {
    let (is_negative, digits) = match yuan.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, yuan),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 2 {
        return None;
    }
    let fen = whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(format!("{fraction:0<2}").parse().ok()?)?;
    Some(if is_negative { -fen } else { fen })
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Decode, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILL: &str = "\u{feff}交易时间,商户订单号,商品名称,费率备注\r\n\
        `2026-11-29 10:00:00,`order-1,`pen, blue `new`,`\r\n\
        `2026-11-29 11:00:00,`order-2,`,`\r\n\
        总交易单数,订单总金额\r\n\
        `2,`12.30\r\n";

    fn reason(text: &str) -> String {
        let error = Bill::parse(text).expect_err("not a bill");
        assert_eq!(error.kind(), ErrorKind::Decode);
        error.to_string()
    }

    #[test]
    fn values_are_read_by_column() {
        for text in [BILL.to_owned(), BILL.replace("\r\n", "\n"), BILL.trim_end().to_owned(), format!("{BILL}\r\n")] {
            let bill = Bill::parse(&text).expect("a bill");
            assert_eq!(bill.columns(), ["交易时间", "商户订单号", "商品名称", "费率备注"]);
            let rows: Vec<_> = bill.rows().collect();
            assert_eq!(rows.len(), 2);
            assert_eq!(rows[0].get("商品名称"), Some("pen, blue `new`"));
            assert_eq!(rows[0].get("费率备注"), Some(""));
            assert_eq!(rows[0].get("none"), None);
            assert_eq!(
                rows[1].iter().map(|(_, value)| value).collect::<Vec<_>>(),
                ["2026-11-29 11:00:00", "order-2", "", ""]
            );
            assert_eq!(bill.summary().iter().collect::<Vec<_>>(), [("总交易单数", "2"), ("订单总金额", "12.30")]);
        }
    }

    #[test]
    fn a_bill_without_rows_has_a_summary() {
        let bill = Bill::parse("记账时间,备注\n资金流水总笔数,收入笔数\n`0.0,`0.0").expect("a bill");
        assert_eq!((bill.rows().len(), bill.summary().get("收入笔数")), (0, Some("0.0")));
    }

    /// Only a cut within the last value of the summary, or within the line break, is not detected.
    #[test]
    fn a_bill_that_is_cut_is_an_error() {
        let last_value = BILL.rfind("12.30").expect("the last value");
        for (end, _) in BILL.char_indices().filter(|(end, _)| *end < last_value) {
            let cut = &BILL[..end];
            assert!(Bill::parse(cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn errors_name_the_line_and_no_value() {
        for (from, to, expected) in [
            ("`order-2,`,`", "`order-2,`", "line 3 of the bill has 3 values for 4 columns"),
            ("blue", "blue,`", "line 2 of the bill has 5 values for 4 columns"),
            ("blue", "blue\n", "line 2 of the bill has 3 values for 4 columns"),
            ("`2026-11-29 11", "2026-11-29 11", "line 3 of the bill does not begin with a backquote"),
            ("`2,`12.30", "`2,`12.30,`0", "line 5 of the bill has 3 values for 2 columns"),
            ("`2,", "`3,", "the summary of the bill counts 3 rows, and it has 2"),
            ("`2,", "`2.5,", "the number of rows in the summary of the bill is not a number"),
            ("商户订单号", "商品名称", "line 1 of the bill does not contain the names of columns"),
            ("商户订单号", "", "line 1 of the bill does not contain the names of columns"),
            ("\u{feff}", "`", "line 1 of the bill does not contain the names of columns"),
            (
                "总交易单数,订单总金额",
                "总交易单数,总交易单数",
                "line 4 of the bill does not contain the names of columns",
            ),
            ("总交易单数", "`总交易单数", "does not end with the two lines of a summary"),
        ] {
            let reason = reason(&BILL.replacen(from, to, 1));
            assert!(reason.contains(expected) && !reason.contains("order-"), "{expected:?} not in {reason:?}");
        }
        for text in ["", "\n", "{\"code\":\"NO_STATEMENT_EXIST\"}", "<xml></xml>", "交易时间\n`1", "总交易单数\n`1"]
        {
            assert!(reason(text).contains("not a complete bill"), "{text:?}");
        }
    }

    #[test]
    fn amounts_are_exact() {
        for (yuan, expected) in [
            ("12.30", Some(1230)),
            ("0", Some(0)),
            ("0.1", Some(10)),
            ("-0.05", Some(-5)),
            ("0.00000", Some(0)),
            ("0.05000", Some(5)),
            ("-0.05940", None),
            ("92233720368547758.07", Some(i64::MAX)),
            ("92233720368547758.08", None),
            ("", None),
            ("-", None),
            (".5", None),
            ("5.", None),
            ("1e2", None),
            ("+1.00", None),
            ("0.60%", None),
            ("１.00", None),
        ] {
            assert_eq!(fen(yuan), expected, "{yuan}");
        }
        let bill = Bill::parse(BILL).expect("a bill");
        assert_eq!(bill.summary().fen("订单总金额").expect("an amount"), 1230);
        let missing = bill.summary().fen("none").expect_err("missing").to_string();
        assert!(missing.contains("does not have the column \"none\""), "{missing}");
        let text = bill.rows().next().expect("a row").fen("商户订单号").expect_err("text").to_string();
        assert!(text.contains("is not an amount in yuan") && !text.contains("order-1"), "{text}");
    }

    #[test]
    fn no_value_is_printed() {
        let bill = Bill::parse(BILL).expect("a bill");
        let shown = format!("{bill:?} {:?} {:?}", bill.summary(), bill.rows().collect::<Vec<_>>());
        assert!(shown.contains("商户订单号") && !shown.contains("order-1") && !shown.contains("12.30"), "{shown}");
    }
}
