//! How many calls are made at once, and where many signatures are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wechatpay_chain::{Client, ErrorKind};

use crate::support::{CARDS, options, run, sandbox, server};

/// A server that answers late, or never, and the most requests it had at once, and all it had.
fn slow(answer_after: Option<Duration>) -> (String, Arc<[AtomicUsize; 3]>) {
    let counts: Arc<[AtomicUsize; 3]> = Arc::default();
    let seen = Arc::clone(&counts);
    let address = server(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await? > 0 {
                let now = seen[0].fetch_add(1, Ordering::SeqCst) + 1;
                seen[1].fetch_max(now, Ordering::SeqCst);
                seen[2].fetch_add(1, Ordering::SeqCst);
                match answer_after {
                    Some(time) => tokio::time::sleep(time).await,
                    None => std::future::pending().await,
                }
                seen[0].fetch_sub(1, Ordering::SeqCst);
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
fn no_more_calls_at_once_than_allowed() {
    for (allowed, most, options) in [
        (Some(3), 3, json!({})),
        (Some(3), 3, json!({ "timeout": 0 })),
        (Some(0), 20, json!({})),
        // Many, where the settings do not say.
        (None, 20, json!({})),
    ] {
        let (base_uri, counts) = slow(Some(Duration::from_millis(30)));
        let client = client(&base_uri, allowed);
        run(async {
            let calls: Vec<_> = (0..20).map(|_| tokio::spawn(client.chain("v3/x").get_async(&options))).collect();
            for call in calls {
                assert_eq!(call.await.expect("task").expect_err("404").kind(), ErrorKind::ClientError);
            }
        });
        assert!(counts[1].load(Ordering::SeqCst) <= most, "{allowed:?} allowed, {counts:?}");
        assert!(allowed == Some(3) || counts[1].load(Ordering::SeqCst) > 3, "{counts:?}");
        assert_eq!(counts[2].load(Ordering::SeqCst), 20);
    }
}

#[test]
fn whoever_gets_no_turn_has_sent_nothing() {
    let (base_uri, counts) = slow(None);
    let client = client(&base_uri, Some(1));
    run(async {
        let first = tokio::spawn(client.chain("v3/x").get_async(()));
        while counts[2].load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let error = client.chain("v3/x").get_async(json!({ "timeout": 0.1 })).await.expect_err("no turn");
        assert!(
            error.is_timeout() && error.is_before_send() && error.to_string().contains("nothing was sent"),
            "{error}"
        );
        assert_eq!(counts[2].load(Ordering::SeqCst), 1);
        // A call that is dropped gives its turn to the next.
        first.abort();
        let _ = first.await;
        let error = client.chain("v3/x").get_async(json!({ "timeout": 0.3 })).await.expect_err("no answer");
        assert!(error.to_string().contains("may have arrived"), "{error}");
        assert_eq!(counts[2].load(Ordering::SeqCst), 2);
    });
}

/// Sixty-four signatures that are wanted at the same moment, on one thread, on several, and in one task.
#[test]
fn many_signatures_at_once_all_hold() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let all = || (0..64).map(|_| client.chain(CARDS).post_async(options())).collect::<Vec<_>>();
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    one.block_on(async {
        let tasks: Vec<_> = all().into_iter().map(tokio::spawn).collect();
        for task in tasks {
            assert!(task.await.expect("task").expect("answer").is_verified());
        }
    });
    run(async {
        let tasks: Vec<_> = all().into_iter().map(tokio::spawn).collect();
        for task in tasks {
            assert!(task.await.expect("task").expect("answer").is_verified());
        }
    });
    // Without a runtime of the caller's.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let calls = all();
            std::thread::spawn(move || {
                for call in calls.into_iter().take(8) {
                    assert!(futures_executor::block_on(call).expect("answer").is_verified());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("thread");
    }
    assert_eq!(sandbox.requests().len(), 64 + 64 + 32);
}
