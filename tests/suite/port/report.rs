//! `wxpay port --report`, and its input: folders, several files, GBK.

use serde_json::{Value, json};

use crate::port::rustc::{folder, port};

const PAY: &str = r"<?php
namespace App;
use WeChatPay\Builder;
use WeChatPay\Crypto\Rsa;
use WeChatPay\Crypto\AesGcm;
class Pay
{
    private $client;
    public function __construct($config)
    {
        $this->client = Builder::factory([
            'mchid' => $config['mchid'],
            'serial' => $config['serial'],
            'privateKey' => Rsa::from($config['key']),
            'certs' => [$config['id'] => Rsa::from($config['public'], Rsa::KEY_TYPE_PUBLIC)],
            'secret' => 'a-secret-in-the-code',
        ]);
    }
    public function order($id)
    {
        return $this->client->chain('v3/pay/transactions/out-trade-no/' . $id)->get(['query' => ['mchid' => '1']]);
    }
    public function refund($data)
    {
        return $this->client->v3->refund->domestic->refunds->postAsync(['json' => $data]);
    }
    public function notify($key)
    {
        $in = json_decode(file_get_contents('php://input'), true);
        $r = $in['resource'];
        return AesGcm::decrypt($r['ciphertext'], $key, $r['nonce'], $r['associated_data']);
    }
    public function generated() { foreach ([1] as $x) { yield Rsa::sign('a', 'b'); } }
}
";

#[test]
fn the_report_lists_each_use_of_the_sdk() {
    let folder = folder("report");
    std::fs::create_dir_all(folder.join("src/vendor")).expect("folder");
    std::fs::write(folder.join("src/Pay.php"), PAY).expect("written");
    std::fs::write(folder.join("src/vendor/Other.php"), PAY).expect("written");
    std::fs::write(folder.join("src/Plain.php"), "<?php\n// WeChatPay\necho 1;\n").expect("written");
    let path = folder.to_str().expect("path");
    let output = port(&["--report", "--json", path], b"");
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let files = report["files"].as_array().expect("files");
    assert_eq!(files.len(), 1, "{report:#}");
    let uses = files[0]["sdk"].as_array().expect("uses");
    let lines: Vec<(u64, &str)> =
        uses.iter().map(|one| (one["line"].as_u64().expect("a line"), one["kind"].as_str().expect("a kind"))).collect();
    assert_eq!(
        lines,
        [
            (11, "client"),
            (14, "function"),
            (15, "function"),
            (21, "call"),
            (25, "call"),
            (27, "notification"),
            (31, "function"),
            (33, "function"),
        ]
    );
    // A text in the code may be a secret.
    assert_eq!(uses[0]["settings"]["secret"], "a text in the code");
    assert_eq!(uses[0]["settings"]["mchid"], "$config['mchid']");
    assert_eq!(
        (&uses[3]["method"], &uses[3]["path"], &uses[3]["async"], &uses[3]["options"]),
        (&json!("GET"), &json!("v3/pay/transactions/out-trade-no/{id}"), &json!(false), &json!(["query"]))
    );
    assert_eq!((&uses[4]["method"], &uses[4]["async"]), (&json!("POST"), &json!(true)));
    // Linked to the catalogue.
    assert!(uses[4]["link"].as_str().is_some_and(|link| link.starts_with("https://pay.weixin.qq.com/")), "{uses:?}");
    let carried: Vec<bool> = uses.iter().map(|one| one["carried"] == true).collect();
    assert_eq!(carried, [true, true, true, true, true, true, true, false]);
    assert_eq!((&report["carried"], &report["uses"]), (&json!(6), &json!(7)));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("a-secret"), "{output:?}");

    let text = port(&["--report", path], b"");
    let text = String::from_utf8(text.stdout).expect("UTF-8");
    assert!(text.contains("6 of 7 uses carried over"), "{text}");
    assert!(text.contains("POST v3/refund/domestic/refunds async"), "{text}");
    assert!(!text.contains("a-secret"), "{text}");
}

/// Chains under `hk`, and chains that a variable holds.
#[test]
fn the_report_lists_calls_of_chains_in_variables() {
    let php = r#"<?php
use WeChatPay\BuilderChainable;
use WechatPay\GuzzleMiddleware\Util\PemUtil;
function query(BuilderChainable $builder, $db, string $no) {
    $builder->hk->v3->transactions->native->post(['json' => ['mchid' => '1']]);
    $chain = $builder->chain("v3/pay/transactions/out-trade-no/{$no}");
    $found = $chain->get(['query' => ['mchid' => '1']]);
    $pay = $builder->v3->pay;
    $pay->transactions->jsapi->postAsync(['json' => []]);
    $orders = $db->orders;
    $orders->get(['a' => 1]);
    $other = function ($chain) { return $chain->get(); };
    $builder->getDriver()->select()->getConfig('handler');
    PemUtil::loadCertificate('a.pem');
    $pay = $db->pay;
    return $pay->post(['a' => 1]);
}
"#;
    let folder = folder("report-variables");
    let path = folder.join("query.php");
    std::fs::write(&path, php).expect("written");
    let output = port(&["--report", "--json", path.to_str().expect("path")], b"");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let uses = report["files"][0]["sdk"].as_array().expect("uses");
    let uses: Vec<Value> =
        uses.iter().map(|one| json!([one["line"], one["method"], one["path"], one["name"]])).collect();
    assert_eq!(
        json!(uses),
        json!([
            [5, "POST", "hk/v3/transactions/native", null],
            [7, "GET", "v3/pay/transactions/out-trade-no/{no}", null],
            [9, "POST", "v3/pay/transactions/jsapi", null],
            [13, null, null, "getDriver"],
        ])
    );
}

#[test]
fn several_files_are_checked_and_not_made_one_program() {
    let folder = folder("several");
    let (one, other) = (folder.join("one.php"), folder.join("other.php"));
    std::fs::write(&one, "<?php\necho crc32('a');\n").expect("written");
    std::fs::write(&other, "<?php\n\necho crc32('b');\n").expect("written");
    let paths = [one.to_str().expect("path"), other.to_str().expect("path")];
    let checked = port(&["--check", paths[0], paths[1]], b"");
    let list = String::from_utf8(checked.stdout).expect("UTF-8");
    assert_eq!(checked.status.code(), Some(1));
    assert!(list.contains("one.php:2: ") && list.contains("other.php:3: "), "{list}");
    assert_eq!(port(&["--check", folder.to_str().expect("path")], b"").status.code(), Some(1));
    let written = port(&paths, b"");
    assert!(!written.status.success() && written.stdout.is_empty(), "{written:?}");
}

#[test]
fn gbk_is_read_and_listed() {
    // "<?php\necho '微信', PHP_EOL;\n" in GBK.
    let mut php = b"<?php\necho '".to_vec();
    php.extend([0xce, 0xa2, 0xd0, 0xc5]);
    php.extend(b"', PHP_EOL;\n");
    let output = port(&["-"], &php);
    let (rust, message) = (String::from_utf8(output.stdout).expect("UTF-8"), String::from_utf8_lossy(&output.stderr));
    assert!(rust.contains("println!(\"微信\")"), "{rust}");
    assert!(message.contains("standard input:1: the file is in GBK"), "{message}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_use_with_an_argument_that_is_left_is_not_carried_over() {
    let php = "<?php\nuse WeChatPay\\Crypto\\Rsa;\nclass A {\n    private $client;\n    \
               function sign($text) { return Rsa::sign($text, strtr($text, 'a', 'b', 'c')); }\n    \
               function both($text) { return Rsa::sign($text, 'k') . strtr($text, 'a', 'b', 'c'); }\n    \
               function verb($method, $o) { return $this->client->chain('v3/certificates')->{$method}($o); }\n}\n";
    let report: Value =
        serde_json::from_slice(&port(&["--report", "--json", "-"], php.as_bytes()).stdout).expect("JSON");
    let uses = report["files"][0]["sdk"].as_array().expect("uses");
    let found: Vec<_> = uses.iter().map(|one| (one["line"].as_u64(), one["carried"].as_bool())).collect();
    assert_eq!(found, [(Some(5), Some(false)), (Some(6), Some(true)), (Some(7), Some(true))], "{report:#}");
    assert_eq!(uses[2]["method"], "$method");
    assert_eq!(uses[2]["path"], "v3/certificates");
}
