//! The hints that only the command gives: each for its condition, not for neighbouring ones.

use super::{Settings, run_with_input, text, wxpay};
use crate::support::{each_hint_names_its_condition, sandbox};

#[test]
fn arguments_and_variables() {
    let sandbox = sandbox();
    sandbox.file("v3/billdownload/file", 10);
    sandbox.stub("GET", "v3/x", 200, serde_json::json!({}));
    let settings = Settings::new(&sandbox);
    let run = |arguments: &[&str]| text(&settings.run(arguments, "").stderr);
    let with_variable = |name: &str| {
        let mut command = wxpay(&["--config", &settings.path("wxpay.toml"), "req", "v3/x"]);
        command.env(name, "x");
        text(&run_with_input(command, "").stderr)
    };
    let without_config = text(&run_with_input(wxpay(&["req", "v3/x"]), "").stderr);
    let no_file = text(&run_with_input(wxpay(&["--config", "/no/wxpay.toml", "req", "v3/x"]), "").stderr);
    each_hint_names_its_condition(&[
        ("(on the command line, give a path variable with --var NAME=VALUE)", run(&["req", "v3/x/{id}"])),
        ("(settings are read from --config FILE and WXPAY_... variables", without_config),
        ("(wxpay sandbox creates one when it starts)", no_file),
        ("has the name of a request option and cannot be a path variable", run(&["req", "v3/x", "--var", "json=1"])),
        ("does not have the form NAME=VALUE", run(&["req", "v3/x", "--query", "a"])),
        ("would be changed: write it as a string, in quotes", {
            run(&["req", "v2/x", "--xml", "{\"a\": 12345678901234567890123}"])
        }),
        ("WXPAY_PLATFORM_KEY_ID and WXPAY_PLATFORM_KEY must be set together", with_variable("WXPAY_PLATFORM_KEY")),
        ("has no effect: did you mean WXPAY_SECRET?", with_variable("WXPAY_SECRETS")),
        ("has no effect: the settings are WXPAY_CONFIG", with_variable("WXPAY_COLOUR")),
        ("WeChat Pay does not sign this response", {
            let response = http::Response::builder().status(200).body(bytes::Bytes::from("x")).expect("response");
            sandbox.inject(wechatpay_chain::sandbox::Fault::Gateway(response));
            run(&["req", "v3/billdownload/file", "--query", "token=x"])
        }),
        (
            "differs from its documentation and was not sent; --no-check sends it",
            run(&["req", "v3/certificates", "--query", "algorithm_type=X"]),
        ),
        ("no call matches \"qqqqqqqq\"", run(&["api", "search", "qqqqqqqq"])),
        ("", run(&["req", "v3/x"])),
    ]);
}
