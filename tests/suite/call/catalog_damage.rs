//! A catalogue that is damaged or hostile: an error that names the line, or a catalogue that works.

use serde_json::{Value, json};
use wechatpay_chain::catalog::{Catalog, Place};

/// A small generator with a fixed seed.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("small") % below.max(1)
    }
}

fn records() -> String {
    let text = include_str!("../../../src/catalog/catalog.txt");
    // The header, and the first records.
    text.lines().take(1500).collect::<Vec<_>>().join("\n")
}

/// Uses everything that a catalogue offers.
fn use_all(catalog: &Catalog) {
    let options =
        json!({ "json": { "amount": { "total": "1" }, "payer": [1, null] }, "query": { "mchid": true }, "x": "1" });
    for call in catalog.calls() {
        let _ = (call.title().len(), call.template(), call.links().count(), call.example(true), call.example(false));
        for place in [Place::Path, Place::Query, Place::Headers, Place::Json, Place::Xml, Place::Body] {
            assert!(call.fields(place).len() < 100_000);
        }
        for finding in call.check(&options) {
            assert!(!finding.to_string().is_empty());
        }
    }
    for query in ["退款", "refund", "", "\u{0}", "trasnaction", "{}", "v3/", &"长".repeat(10_000)] {
        assert!(catalog.search(query).len() <= 2000);
    }
    let _ = catalog.find("POST", "v3/{/x}{?y*}//../%2e");
}

#[test]
fn a_damaged_catalogue_is_an_error_or_works() {
    let text = records();
    use_all(&Catalog::from_text(text.clone()).expect("undamaged"));
    let lines: Vec<&str> = text.lines().collect();
    let mut random = Random(18);
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..300 {
        let mut damaged: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        for _ in 0..=random.next(3) {
            let at = random.next(damaged.len());
            match random.next(7) {
                0 => drop(damaged.remove(at)),
                1 => damaged[at] = format!(" {}", damaged[at]),
                2 => damaged[at] = damaged[at].trim_start().to_owned(),
                3 => {
                    let keep = damaged[at].chars().count();
                    damaged[at] = damaged[at].chars().take(random.next(keep)).collect();
                }
                4 => damaged[at] = damaged[at].replace(' ', "  "),
                5 => damaged[at].push_str(" = |||`\u{feff}"),
                _ => damaged.insert(at, "  ".repeat(random.next(400)) + "x string!"),
            }
        }
        match Catalog::from_text(damaged.join("\n")) {
            Ok(catalog) => {
                accepted += 1;
                use_all(&catalog);
            }
            Err(error) => {
                refused += 1;
                assert!(error.message().contains("the catalogue, line "), "{error}");
            }
        }
    }
    assert!(refused > 100 && accepted > 20, "{refused} refused, {accepted} accepted");
}

#[test]
fn options_of_any_shape_are_checked() {
    let catalog = Catalog::builtin();
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!({ "amount": [deep] });
    }
    for options in [
        json!({ "json": deep }),
        json!({ "json": [] }),
        json!({ "json": { "": { "": null } } }),
        json!({ "xml": { "a": { "b": [1] } } }),
        json!({ "multipart": [{ "name": "meta", "contents": "{" }] }),
        json!({ "query": "a=b&a=c&%zz" }),
        json!({ "json": { "out_trade_no": "\u{1b}[31m", "\u{202e}evil": 1 } }),
    ] {
        for path in
            ["v3/pay/transactions/native", "v3/refund/domestic/refunds", "v2/pay/unifiedorder", "v3/unknown", ""]
        {
            for finding in catalog.check("POST", path, &options) {
                let text = finding.to_string();
                assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text:?}");
            }
        }
    }
    let _: Value = json!(null);
}
