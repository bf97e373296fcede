//! Tests the data that OpenTelemetry receives: one span for each call, with the attributes of its
//! convention, and the metrics. In-memory exporters replace a collector.

#![cfg(test)]

mod install;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::json;
use wechatpay_chain::sandbox::{Fault, MCHID, Sandbox};
use wechatpay_chain::{Client, Options};

/// The exporters of this process. One test makes all calls.
struct Telemetry {
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
    _tracers: SdkTracerProvider,
}

static TELEMETRY: LazyLock<Telemetry> = LazyLock::new(|| {
    let (spans, metrics) = (InMemorySpanExporter::default(), InMemoryMetricExporter::default());
    let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let meters = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(metrics.clone()).build()).build();
    install::install(&tracers, &meters);
    Telemetry { spans, metrics, meters, _tracers: tracers }
});

fn values<'a>(attributes: impl IntoIterator<Item = &'a KeyValue>) -> BTreeMap<String, Value> {
    attributes.into_iter().map(|pair| (pair.key.to_string(), pair.value.clone())).collect()
}

/// The sum and the number of the values of a metric whose attributes have these values.
fn metric(name: &str, expected: &[(&str, &str)]) -> (f64, u64) {
    TELEMETRY.meters.force_flush().expect("flushed");
    let exported = TELEMETRY.metrics.get_finished_metrics().expect("metrics");
    let all = exported.last().expect("a report").scope_metrics().flat_map(|scope| scope.metrics());
    let metric = all.filter(|metric| metric.name() == name).last().unwrap_or_else(|| panic!("no {name}"));
    let matches = |attributes: BTreeMap<String, Value>| {
        expected.iter().all(|(name, value)| attributes.get(*name).is_some_and(|found| found.as_str() == *value))
    };
    match metric.data() {
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
            assert_eq!(metric.unit(), "s", "{name}");
            let points = histogram.data_points().filter(|point| matches(values(point.attributes())));
            points.fold((0.0, 0), |(sum, count), point| (sum + point.sum(), count + point.count()))
        }
        AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
            let points = gauge.data_points().filter(|point| matches(values(point.attributes())));
            points.fold((0.0, 0), |(sum, count), point| (sum + point.value(), count + 1))
        }
        other => panic!("{name}: {other:?}"),
    }
}

fn attribute<'a>(span: &'a SpanData, name: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|pair| pair.key.as_str() == name).map(|pair| &pair.value)
}

const ORDERS: &str = "v3/pay/transactions/out-trade-no";
const QUERY: &str = "v3/pay/transactions/out-trade-no/{out_trade_no}";

fn query(number: &str) -> Options {
    Options::new().var("out_trade_no", number).query(&json!({ "mchid": MCHID }))
}

/// Makes the calls whose spans and metrics the test compares.
async fn calls(sandbox: &Sandbox, client: &Client) {
    let order = json!({ "json": {
        "appid": "wxd678efh567hg6787", "mchid": MCHID, "description": "personal-book", "out_trade_no": "personal-1",
        "notify_url": "https://example.com/notify", "amount": { "total": 100 },
    }});
    client.chain("v3/pay/transactions/native").post_async(order).await.expect("an order");
    client.chain(QUERY).get_async(query("personal-2")).await.expect_err("no order");
    client.chain(QUERY).get_async(query("personal-2").http_errors(false)).await.expect("a response");
    sandbox.inject(Fault::from_name("bad-gateway").expect("a fault"));
    client.chain(QUERY).get_async(query("personal-1").retry(1)).await.expect("the second response");
    sandbox.inject(Fault::WrongSignature);
    client.chain(QUERY).get_async(query("personal-1")).await.expect_err("a forged response");
    client.request("PURGE", QUERY, query("personal-1")).expect_err("no such call");
    let closed = sandbox.client_builder().base_uri("http://127.0.0.1:9/").build().expect("a client");
    closed.chain(QUERY).get_async(query("personal-1")).await.expect_err("no connection");
    // Text that is formatted into a path, and text of the program that is not documented.
    let options = || json!({ "query": { "mchid": MCHID } });
    client.chain(&format!("{ORDERS}/personal-1")).get_async(options()).await.expect("an order");
    client.chain(&format!("v3/personal-3/{}", "personal-4")).get_async(()).await.expect_err("no such call");
    client["v3/undocumented/{id}"].get_async(json!({ "id": "personal-5" })).await.expect_err("no such call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_one_span_and_is_measured() {
    LazyLock::force(&TELEMETRY);
    let sandbox = tokio::task::spawn_blocking(|| Sandbox::start().expect("a sandbox")).await.expect("started");
    let client = sandbox.client().expect("a client");
    calls(&sandbox, &client).await;
    let port = i64::from(sandbox.address().port());

    let spans = TELEMETRY.spans.get_finished_spans().expect("spans");
    let expected: [(&str, Option<&str>, Option<i64>, Option<i64>); 10] = [
        ("POST /v3/pay/transactions/native", None, Some(200), None),
        ("GET /v3/pay/transactions/out-trade-no/{out_trade_no}", Some("404"), Some(404), None),
        ("GET /v3/pay/transactions/out-trade-no/{out_trade_no}", Some("404"), Some(404), None),
        ("GET /v3/pay/transactions/out-trade-no/{out_trade_no}", None, Some(200), Some(1)),
        ("GET /v3/pay/transactions/out-trade-no/{out_trade_no}", Some("verification"), Some(200), None),
        ("HTTP /v3/pay/transactions/out-trade-no/{out_trade_no}", Some("405"), Some(405), None),
        ("GET /v3/pay/transactions/out-trade-no/{out_trade_no}", Some("connect"), None, None),
        ("GET /v3/pay/transactions/out-trade-no/{out_trade_no}", None, Some(200), None),
        ("GET /v3/{...}", Some("404"), Some(404), None),
        ("GET /v3/undocumented/{id}", Some("404"), Some(404), None),
    ];
    assert_eq!(spans.len(), expected.len(), "{spans:#?}");
    for (span, (name, error_type, status, resend_count)) in spans.iter().zip(expected) {
        assert_eq!((span.name.as_ref(), &span.span_kind), (name, &SpanKind::Client));
        let text = |name: &str| attribute(span, name).map(|value| value.as_str().into_owned());
        let number = |name: &str| match attribute(span, name) {
            Some(Value::I64(number)) => Some(*number),
            None => None,
            Some(other) => panic!("{name}: {other:?}"),
        };
        let (method, template) = name.split_once(' ').expect("a method and a path");
        assert_eq!(text("http.request.method").as_deref(), Some(if method == "HTTP" { "_OTHER" } else { method }));
        assert_eq!(text("http.request.method_original").as_deref(), (method == "HTTP").then_some("PURGE"));
        assert_eq!(text("url.template").as_deref(), Some(template));
        assert_eq!(text("server.address").as_deref(), Some("127.0.0.1"));
        assert_eq!(number("server.port"), Some(if error_type == Some("connect") { 9 } else { port }));
        assert_eq!(
            text("url.full"),
            Some(format!("http://127.0.0.1:{}{template}", number("server.port").expect("a port")))
        );
        assert_eq!(text("network.protocol.version").as_deref(), Some("1.1"));
        assert_eq!(text("error.type").as_deref(), error_type, "{name}");
        assert_eq!(number("http.response.status_code"), status, "{name}");
        assert_eq!(number("http.request.resend_count"), resend_count, "{name}");
        assert_eq!(matches!(span.status, Status::Error { .. }), error_type.is_some(), "{name}: {:?}", span.status);
        assert_eq!(text("wechatpay.request_id").is_some(), status.is_some(), "{name}");
        let verified = attribute(span, "wechatpay.verified");
        assert_eq!(verified, status.map(|_| Value::Bool(error_type != Some("verification"))).as_ref(), "{name}");
        for part in ["wechatpay.signing_us", "wechatpay.waiting_us"] {
            assert!(number(part).is_some_and(|microseconds| microseconds >= 0), "{name}: {part}");
        }
        assert_eq!(number("wechatpay.verifying_us").is_some(), status.is_some(), "{name}");
    }
    assert_eq!(
        attribute(&spans[1], "wechatpay.code").map(|code| code.as_str().into_owned()).as_deref(),
        Some("ORDER_NOT_EXIST")
    );
    assert!(!format!("{spans:?}").contains("personal"), "{spans:?}");

    // The metric counts ten calls, by template and outcome.
    const CALLS: &str = "http.client.request.duration";
    let template = ("url.template", "/v3/pay/transactions/out-trade-no/{out_trade_no}");
    let count = |labels: &[(&str, &str)]| metric(CALLS, labels).1;
    assert_eq!(count(&[]), 10);
    assert_eq!(count(&[template]), 7);
    assert_eq!(count(&[("url.template", "/v3/{...}")]), 1);
    assert_eq!(count(&[("url.template", "/v3/undocumented/{id}")]), 1);
    assert_eq!(count(&[template, ("http.response.status_code", "404"), ("error.type", "404")]), 2);
    assert_eq!(count(&[template, ("wechatpay.code", "ORDER_NOT_EXIST")]), 1);
    assert_eq!(count(&[template, ("error.type", "verification")]), 1);
    assert_eq!(count(&[template, ("error.type", "connect"), ("server.port", "9")]), 1);
    assert_eq!(count(&[("http.request.method", "_OTHER")]), 1);
    assert!(metric(CALLS, &[]).0 > 0.0, "the duration in seconds");
    // Each attempt is signed.
    let (signing, count) = metric("wechatpay.client.signing.duration", &[]);
    assert!(signing > 0.0 && count == 11, "{signing} {count}");
    // The connections of this sandbox are idle now, and no call is active.
    let port = port.to_string();
    let requests = metric("http.client.active_requests", &[template, ("server.port", &port)]);
    assert_eq!(requests, (0.0, 2), "one data point for each method");
    let connections = |state| metric("http.client.open_connections", &[("http.connection.state", state), ("server.port", &port)]);
    let (idle, points) = connections("idle");
    assert!(idle >= 1.0 && points == 1, "{idle} {points}");
    assert_eq!(connections("active"), (0.0, 1));
    let exported = format!("{:?}", TELEMETRY.metrics.get_finished_metrics().expect("metrics"));
    assert!(exported.contains("out-trade-no/{out_trade_no}") && !exported.contains("personal"), "{exported}");
    drop(client);
}
