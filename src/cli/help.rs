//! The sections of `--help` below the options: examples, settings, environment variables, exit
//! codes.

/// The meanings of the exit codes.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  the response is too large or cannot be decoded; for wxpay port: some PHP was not converted
  2  invalid arguments, settings or options, or an unreadable file; nothing was sent
  3  no connection; nothing was sent
  4  timeout or broken connection: the outcome is unknown; query it before you repeat the call
  5  WeChat Pay refused the call: a status other than 2xx, or a failure in the APIv2 fields
  6  the signature of the response or the digest of a file is invalid
  7  the response, standard input or standard output could not be read or written
  8  wxpay doctor found an error
  130, 143  Ctrl-C or SIGTERM stopped a call with --sink; the partial file was removed";

const SETTINGS: &str = "\
Settings:
  Settings are read from a TOML file (--config) and from environment variables, which take
  precedence. Secrets are never arguments.

  mchid = \"1900000109\"                           WXPAY_MCHID
  serial = \"3775B6A4...\"                         WXPAY_SERIAL
  private_key = \"file://apiclient_key.pem\"       WXPAY_PRIVATE_KEY
  apiv3_key = \"...\"                              WXPAY_APIV3_KEY
  secret = \"...\"                                 WXPAY_SECRET, the APIv2 key
  base_uri = \"https://api.mch.weixin.qq.com/\"    WXPAY_BASE_URI
  backup_uri = \"https://api2.wechatpay.cn/\"      used if base_uri is unreachable; \"\" for none
  retry = 2                                      retries after 429, 5xx or a broken connection;
                                                 default 0
  timeout = 30                                   in seconds; likewise connect_timeout, keep_warm
  proxy = \"http://proxy.example:3128\"            default: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY
  root_certificate = \"file://ca.pem\"             a private CA, trusted besides the public ones
  catalog = \"file://catalog.txt\"                WXPAY_CATALOG, in place of the built-in catalogue
  [certs]
  PUB_KEY_ID_0119... = \"file://pub_key.pem\"      WXPAY_PLATFORM_KEY_ID and WXPAY_PLATFORM_KEY
  [merchant]                                     the merchant certificate for --security
  cert = \"file://apiclient_cert.pem\"             or pkcs12 = \"file://apiclient_cert.p12\"
  key = \"file://apiclient_key.pem\"               and passphrase = \"...\"

  Relative file:// paths in the TOML file start at its folder.";

const ENVIRONMENT: &str = "\
Environment:
  WXPAY_CONFIG                   the TOML file to read if --config is absent; default: the next
                                 wxpay.toml from the current folder upward
  WXPAY_MCHID, WXPAY_SERIAL, ... settings, see above
  WXPAY_CATALOG                  the file of a catalogue, as wxpay api import makes it
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                                 proxies, used if the settings contain none
  WXPAY_LANG                     the language of messages: zh for Chinese, en for English;
                                 default: the locale (LC_ALL, LC_MESSAGES, LANG)
  NO_COLOR                       any value: no colour, as with --color never";

const EXAMPLES: &str = "\
Examples:
  wxpay sandbox                                     run a local WeChat Pay in its own terminal
  wxpay --config wxpay-sandbox/wxpay.toml doctor    check everything that a call depends on
  wxpay req v3/pay/transactions/out-trade-no/order-1 --query mchid=1900000109
  wxpay req v3/refund/domestic/refunds --json @refund.json";

const REQ: &str = "\
Examples:
  wxpay req v3/pay/transactions/id/{id} --var id=4200000985202009 --query mchid=1900000109
  wxpay req v3.pay.transactions.native --json @order.json
  echo '{\"transaction_id\": \"42\"}' | wxpay req v3/refund/domestic/refunds --json -
  wxpay req v3/merchant/media/upload --upload licence.png
  wxpay req v3/billdownload/file --query token=TOKEN --sink bill.csv
  wxpay req v3/applyment4sub/applyment --json @applyment.json --encrypt
  wxpay req v3/certificates -i > response.txt      for wxpay verify response
  wxpay req v2/pay/orderquery --xml @query.json";

const BILL: &str = "\
Examples:
  wxpay bill yesterday --json | jq '.rows | length'
  wxpay bill 2026-11-29 --type REFUND > refunds.csv
  wxpay bill 2026-11-29 --account BASIC -o fund-flow.csv
  wxpay bill 2026-11-29 --raw -o bill.csv          for a spreadsheet";

const WIRE: &str = "\
Example:
  echo '{\"method\": \"GET\", \"template\": \"v3/x/{id}\", \"options\": {\"id\": \"1\"}}' | wxpay wire --unsigned";

const CERTS: &str = "\
Example:
  export WXPAY_APIV3_KEY=$(cat apiv3.key)
  wxpay certs -m 1900000109 -s 3775B6A4... -f apiclient_key.pem -o certs";

const NOTIFY: &str = "\
Examples:
  wxpay notify verify request.txt                the headers, an empty line, and the body
  wxpay notify decrypt body.json | jq .resource";

const SIGN: &str = "\
Examples:
  wxpay sign request GET '/v3/certificates?algorithm_type=RSA'
  wxpay sign request POST /v3/pay/transactions/native --body order.json
  printf 'wx8888888888888888\\n1414561699\\nNONCE\\nprepay_id=wx201410272009395522657a690389285100\\n' \\
      | wxpay sign message -                     the paySign of JSAPI and mini programs";

const VERIFY: &str = "\
Examples:
  wxpay verify request request.txt               a request that was refused with SIGN_ERROR
  wxpay req v3/certificates -i > response.txt && wxpay verify response response.txt
  wxpay verify message message.txt --signature \"$(cat signature.txt)\"";

const PORT: &str = "\
Examples:
  wxpay port pay.php > src/main.rs
  wxpay port --check pay.php                     list what cannot be converted
  wxpay port --report app                        list what the files of a folder use of the SDK
  wxpay port --calls OrderController.php         extract only the code that uses the SDK";

const API: &str = "\
Examples:
  wxpay api search refund
  wxpay api show POST v3/refund/domestic/refunds
  wxpay api example POST v3/refund/domestic/refunds --lang php
  wxpay api types POST v3/refund/domestic/refunds >> src/refund.rs
  wxpay api list --json | jq 'select(.certificate) | .template'
  wxpay api import documentation -o catalog.txt";

const DOCTOR: &str = "\
Examples:
  wxpay --config wxpay.toml doctor
  wxpay doctor --offline --json | jq '.[] | select(.outcome == \"failed\")'";

#[cfg(feature = "sandbox")]
const SANDBOX: &str = "\
Examples:
  wxpay sandbox                                  in one terminal; then in a second one:
  export WXPAY_CONFIG=wxpay-sandbox/wxpay.toml
  wxpay req v3/pay/transactions/native --json @order.json
  wxpay sandbox pay order-1                      pay as the buyer; a notification is sent
  wxpay sandbox fault bad-gateway                the next response is a 502 of a gateway";

const COMPLETIONS: &str = "\
To install:
  bash        wxpay completions bash > ~/.local/share/bash-completion/completions/wxpay
  zsh         wxpay completions zsh > ~/.zfunc/_wxpay
              (with fpath+=~/.zfunc before compinit in ~/.zshrc)
  fish        wxpay completions fish > ~/.config/fish/completions/wxpay.fish
  elvish      wxpay completions elvish >> ~/.config/elvish/rc.elv
  powershell  wxpay completions powershell >> $PROFILE";

const MAN: &str = "\
Examples:
  wxpay man | man -l -
  wxpay man > ~/.local/share/man/man1/wxpay.1    install the page for man wxpay";

/// The sections of `wxpay --help`.
pub(super) const SECTIONS: &[&str] = &[EXAMPLES, SETTINGS, ENVIRONMENT, EXIT_CODES];

/// The section of each command, by its name.
const COMMAND_SECTIONS: &[(&str, &str)] = &[
    ("req", REQ),
    ("bill", BILL),
    ("wire", WIRE),
    ("certs", CERTS),
    ("notify", NOTIFY),
    ("sign", SIGN),
    ("verify", VERIFY),
    ("doctor", DOCTOR),
    ("port", PORT),
    ("api", API),
    #[cfg(feature = "sandbox")]
    ("sandbox", SANDBOX),
    ("completions", COMPLETIONS),
    ("man", MAN),
];

/// The command with these sections below its options, in lines of at most 100 columns.
pub(super) fn add(command: clap::Command) -> clap::Command {
    let pointer = "Settings, environment variables and exit codes: wxpay --help";
    let command = command
        .max_term_width(100)
        .after_help(format!("{EXAMPLES}\n\n{pointer}"))
        .after_long_help(SECTIONS.join("\n\n"));
    COMMAND_SECTIONS.iter().fold(command, |command, (name, text)| {
        command.mut_subcommand(name, |sub| match *name {
            // Scripts use the exit codes of these commands.
            "req" | "bill" | "certs" => sub.after_help(*text).after_long_help(format!("{text}\n\n{EXIT_CODES}")),
            _ => sub.after_help(*text),
        })
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_has_an_example_and_lines_fit() {
        let command = add(crate::cli::args::Args::command());
        for subcommand in command.get_subcommands() {
            assert!(
                COMMAND_SECTIONS.iter().any(|(name, _)| *name == subcommand.get_name()),
                "{} has no example",
                subcommand.get_name()
            );
        }
        for line in SECTIONS.iter().chain(COMMAND_SECTIONS.iter().map(|(_, text)| text)).flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 100, "longer than 100 columns: {line}");
        }
    }

    #[test]
    fn every_argument_has_help() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} of {}", argument.get_id(), command.get_name());
            }
            assert!(command.get_about().is_some(), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&add(crate::cli::args::Args::command()));
    }
}
