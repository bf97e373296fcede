//! The limit for concurrent calls, and many signatures at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wechatpay_chain::{Client, ErrorKind};

use crate::support::{CARDS, options, run, sandbox, server};

/// The requests of a server.
#[derive(Debug, Default)]
struct Counts {
    under_way: AtomicUsize,
    max_under_way: AtomicUsize,
    total: AtomicUsize,
}

/// A server that responds after a pause, or never.
fn slow_server(pause: Option<Duration>) -> (String, Arc<Counts>) {
    let counts: Arc<Counts> = Arc::default();
    let seen = Arc::clone(&counts);
    let address = server(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await? > 0 {
                let now = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                seen.max_under_way.fetch_max(now, Ordering::SeqCst);
                seen.total.fetch_add(1, Ordering::SeqCst);
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
                seen.under_way.fetch_sub(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}").await?;
            }
            Ok(())
        }
    });
    (format!("http://{address}/"), counts)
}

fn client(base_uri: &str, concurrency: Option<usize>) -> Client {
    let builder = sandbox().client_builder().base_uri(base_uri);
    concurrency.into_iter().fold(builder, |builder, calls| builder.concurrency(calls)).build().expect("client")
}

#[test]
fn no_more_calls_are_under_way_than_allowed() {
    for (allowed, max, options) in [
        (Some(3), 3, json!({})),
        (Some(3), 3, json!({ "timeout": 0 })),
        (Some(0), 20, json!({})),
        // The default allows more than twenty.
        (None, 20, json!({})),
    ] {
        let (base_uri, counts) = slow_server(Some(Duration::from_millis(30)));
        let client = client(&base_uri, allowed);
        run(async {
            let calls: Vec<_> = (0..20).map(|_| tokio::spawn(client.chain("v3/x").get_async(&options))).collect();
            for call in calls {
                assert_eq!(call.await.expect("task").expect_err("404").kind(), ErrorKind::ClientError);
            }
        });
        assert!(counts.max_under_way.load(Ordering::SeqCst) <= max, "{allowed:?} allowed, {counts:?}");
        assert!(allowed == Some(3) || counts.max_under_way.load(Ordering::SeqCst) > 3, "{counts:?}");
        assert_eq!(counts.total.load(Ordering::SeqCst), 20);
    }
}

#[test]
fn a_call_that_times_out_waiting_for_a_permit_was_not_sent() {
    let (base_uri, counts) = slow_server(None);
    let client = client(&base_uri, Some(1));
    run(async {
        let first = tokio::spawn(client.chain("v3/x").get_async(()));
        while counts.total.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let error = client.chain("v3/x").get_async(json!({ "timeout": 0.1 })).await.expect_err("no permit");
        assert!(
            error.is_timeout() && error.is_before_send() && error.to_string().contains("nothing was sent"),
            "{error}"
        );
        assert_eq!(counts.total.load(Ordering::SeqCst), 1);
        // A call that is dropped releases its permit.
        first.abort();
        let _ = first.await;
        let error = client.chain("v3/x").get_async(json!({ "timeout": 0.3 })).await.expect_err("no response");
        assert!(error.to_string().contains("may have arrived"), "{error}");
        assert_eq!(counts.total.load(Ordering::SeqCst), 2);
    });
}

/// Sixty-four signatures at the same time: on one thread, on several, and without a runtime.
#[test]
fn many_concurrent_signatures_are_valid() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let calls = || (0..64).map(|_| client.chain(CARDS).post_async(options())).collect::<Vec<_>>();
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    one.block_on(async {
        let tasks: Vec<_> = calls().into_iter().map(tokio::spawn).collect();
        for task in tasks {
            assert!(task.await.expect("task").expect("response").is_verified());
        }
    });
    run(async {
        let tasks: Vec<_> = calls().into_iter().map(tokio::spawn).collect();
        for task in tasks {
            assert!(task.await.expect("task").expect("response").is_verified());
        }
    });
    // Without a runtime.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let calls = calls();
            std::thread::spawn(move || {
                for call in calls.into_iter().take(8) {
                    assert!(futures_executor::block_on(call).expect("response").is_verified());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("thread");
    }
    assert_eq!(sandbox.requests().len(), 64 + 64 + 32);
}
