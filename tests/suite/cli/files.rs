//! Files that `wxpay` reads and writes.

use std::process::Command;

use super::{Settings, run_with_input, text, wxpay};
use crate::support::{sandbox, server};

#[test]
fn files_are_uploaded_and_downloaded() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    std::fs::write(settings.path("a.png"), b"\x89PNG").expect("written");
    let output = settings.run(&["req", "v3/merchant/media/upload", "--upload", &settings.path("a.png")], "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    sandbox.file("v3/billdownload/file", 10_000);
    let saved = settings.path("bill.csv");
    let output = settings.run(&["req", "v3/billdownload/file", "--query", "token=x", "--sink", &saved], "");
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), format!("wxpay: 10000 bytes written to {saved}\n"));
    assert_eq!(std::fs::metadata(saved).expect("file").len(), 10_000);
}

#[test]
fn certs_writes_the_certificates() {
    let sandbox = sandbox();
    let certificate = sandbox.rotate_certificate().expect("certificate");
    let settings = Settings::new(&sandbox);
    let output = settings.path("out");
    let mut command = wxpay(&["--config", &settings.path("wxpay.toml"), "certs", "--output", &output]);
    command.env("WXPAY_APIV3_KEY", sandbox.settings()["apiv3_key"].as_str().expect("key"));
    let done = run_with_input(command, "");
    let message = text(&done.stdout);
    assert!(
        done.status.success()
            && message.contains(certificate.serial())
            && message.contains("valid to   20")
            && message.contains("Z (in "),
        "{message}{}",
        text(&done.stderr)
    );
    let path = format!("file://{output}/wechatpay_{}.pem", certificate.serial());
    assert_eq!(wechatpay_chain::Certificate::from_pem(&path).expect("PEM"), certificate);
    // A link that someone else planted is not followed.
    #[cfg(unix)]
    {
        let file = path.trim_start_matches("file://");
        std::fs::remove_file(file).expect("removed");
        std::os::unix::fs::symlink(settings.path("victim"), file).expect("link");
        let mut command = wxpay(&["--config", &settings.path("wxpay.toml"), "certs", "--output", &output]);
        command.env("WXPAY_APIV3_KEY", sandbox.settings()["apiv3_key"].as_str().expect("key"));
        let refused = run_with_input(command, "");
        assert_eq!(refused.status.code(), Some(7), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("symbolic link"), "{}", text(&refused.stderr));
        assert!(!std::path::Path::new(&settings.path("victim")).exists());
        std::fs::remove_file(file).expect("removed");
    }
    // The options of PHP's downloader. The APIv3 key cannot be given as an argument.
    let key = settings.path("key.pem");
    let arguments = [
        "certs",
        "-m",
        wechatpay_chain::sandbox::MCHID,
        "-s",
        wechatpay_chain::sandbox::SERIAL,
        "-f",
        &key,
        "-o",
        &output,
        "-u",
        &sandbox.base_uri(),
    ];
    let mut command = wxpay(&arguments);
    command.env("WXPAY_APIV3_KEY", sandbox.settings()["apiv3_key"].as_str().expect("key"));
    assert!(run_with_input(command, "").status.success());
    let without = run_with_input(wxpay(&arguments), "");
    assert!(
        without.status.code() == Some(2) && text(&without.stderr).contains("apiv3_key"),
        "{}",
        text(&without.stderr)
    );
    assert_eq!(run_with_input(wxpay(&["certs", "--key", "x"]), "").status.code(), Some(2));
}

#[test]
#[cfg(target_os = "linux")]
fn a_download_of_a_gigabyte_needs_little_memory() {
    const SIZE: u64 = 1 << 30;
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    sandbox.file("v3/billdownload/file", SIZE);
    let saved = settings.path("bill");
    let mut child = wxpay(&[
        "--config",
        &settings.path("wxpay.toml"),
        "req",
        "v3/billdownload/file",
        "--no-check",
        "--sink",
        &saved,
    ])
    .spawn()
    .expect("wxpay");
    let mut peak = 0;
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(high.unwrap_or(0));
        if let Some(status) = child.try_wait().expect("wait") {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(status.success());
    assert_eq!(std::fs::metadata(&saved).expect("file").len(), SIZE);
    println!("1 GiB with a peak of {peak} kB");
    assert!(peak > 0 && peak < 32 * 1024, "{peak} kB");
}

#[cfg(unix)]
#[test]
fn an_interrupted_download_leaves_no_file() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = server(|mut stream| async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nfirst bytes").await?;
        std::future::pending().await
    });
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let folder = tempfile::tempdir().expect("folder");
    let files = || std::fs::read_dir(folder.path()).expect("folder").count();
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let sink = folder.path().join("bill.csv");
        let config = settings.path("wxpay.toml");
        let mut command = wxpay(&[
            "--config",
            &config,
            "req",
            "v3/billdownload/file",
            "--no-check",
            "--sink",
            sink.to_str().expect("path"),
        ]);
        let child =
            command.env("WXPAY_BASE_URI", format!("http://{address}/")).env("WXPAY_LANG", "en").spawn().expect("wxpay");
        let began = std::time::Instant::now();
        // The partial file is created when the call begins, and the signal handler is set up then,
        // too.
        while files() == 0 && began.elapsed().as_secs() < 30 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(files(), 1, "the partial file");
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
        let output = child.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert_eq!(
            text(&output.stderr),
            "wxpay: stopped; the partial file was removed, and the request may have arrived\n"
        );
        assert_eq!(files(), 0, "no file is left");
    }
}
