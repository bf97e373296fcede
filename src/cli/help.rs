//! The texts of `--help` that stand below the options: examples, settings, the environment, exit codes.

/// What the exit codes mean.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the answer could not be used: too large, or not what it should be; of wxpay port,
     something is left to do
  2  arguments, settings or options are wrong, or a file that they name; nothing was sent
  3  no connection; nothing was sent
  4  the outcome is unknown: time ran out, or the connection broke; query before repeating
  5  the service refused: an answer other than 2xx, or a failure in the fields of APIv2
  6  the signature of the answer, or the digest of a file, does not hold
  7  the answer, or standard input or output, could not be read or written
  8  wxpay doctor found something wrong
  130, 143  Ctrl-C or SIGTERM stopped a call with --sink; no part of the file is left";

const SETTINGS: &str = "\
Settings:
  They come from a TOML file, --config, and from the environment, which wins. Secrets are never
  arguments.

  mchid = \"1900000109\"                           WXPAY_MCHID
  serial = \"3775B6A4...\"                         WXPAY_SERIAL
  private_key = \"file://apiclient_key.pem\"       WXPAY_PRIVATE_KEY
  apiv3_key = \"...\"                              WXPAY_APIV3_KEY
  secret = \"...\"                                 WXPAY_SECRET, the APIv2 key
  base_uri = \"https://api.mch.weixin.qq.com/\"    WXPAY_BASE_URI
  backup_uri = \"https://api2.wechatpay.cn/\"      if no connection can be made; \"\" for none
  retry = 2                                      after 429, 5xx, a broken connection; default 0
  timeout = 30                                   seconds; also connect_timeout
  proxy = \"http://proxy.example:3128\"            else HTTPS_PROXY and the like
  root_certificate = \"file://ca.pem\"             a private authority, besides the usual ones
  [certs]
  PUB_KEY_ID_0119... = \"file://pub_key.pem\"      WXPAY_PLATFORM_KEY_ID and WXPAY_PLATFORM_KEY
  [merchant]                                     the certificate for --security
  cert = \"file://apiclient_cert.pem\"             or pkcs12 = \"file://apiclient_cert.p12\"
  key = \"file://apiclient_key.pem\"               and passphrase = \"...\"

  A relative file:// path is taken from the folder of the TOML file.";

const ENVIRONMENT: &str = "\
Environment:
  WXPAY_CONFIG                   the TOML file where --config is not given
  WXPAY_MCHID, WXPAY_SERIAL, ... settings, see above
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                                 proxies, where the settings name none
  WXPAY_LANG                     zh for messages in Chinese, en for English; else the locale says,
                                 by LC_ALL, LC_MESSAGES or LANG";

const EXAMPLES: &str = "\
Examples:
  wxpay sandbox                                     a local WeChat Pay, in a terminal of its own
  wxpay --config wxpay-sandbox/wxpay.toml doctor    is everything right for a first call?
  wxpay req v3/pay/transactions/out-trade-no/order-1 --query mchid=1900000109
  wxpay req v3/refund/domestic/refunds --json @refund.json";

const REQ: &str = "\
Examples:
  wxpay req v3/pay/transactions/id/{id} --var id=4200000985202009 --query mchid=1900000109
  wxpay req v3.pay.transactions.native --json @order.json
  echo '{\"transaction_id\": \"42\"}' | wxpay req v3/refund/domestic/refunds --json -
  wxpay req v3/merchant/media/upload --upload licence.png
  wxpay req v3/billdownload/file --query token=TOKEN --sink bill.csv
  wxpay req v2/pay/orderquery --xml @query.json";

const WIRE: &str = "\
Example:
  echo '{\"method\": \"GET\", \"template\": \"v3/x/{id}\", \"options\": {\"id\": \"1\"}}' | wxpay wire --unsigned";

const CERTS: &str = "\
Example:
  export WXPAY_APIV3_KEY=$(cat apiv3.key)
  wxpay certs -m 1900000109 -s 3775B6A4... -f apiclient_key.pem -o certs";

const PORT: &str = "\
Examples:
  wxpay port pay.php > src/main.rs
  wxpay port --check pay.php                     only what would be left to do";

const DOCTOR: &str = "\
Examples:
  wxpay --config wxpay.toml doctor
  wxpay doctor --offline --json | jq '.[] | select(.outcome == \"failed\")'";

#[cfg(feature = "sandbox")]
const SANDBOX: &str = "\
Examples:
  wxpay sandbox                                  in a terminal of its own; in another:
  export WXPAY_CONFIG=wxpay-sandbox/wxpay.toml
  wxpay req v3/pay/transactions/native --json @order.json
  wxpay sandbox pay order-1                      its buyer pays, its notify_url is notified
  wxpay sandbox fault bad-gateway                the next answer is one of a gateway's";

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
  wxpay man > ~/.local/share/man/man1/wxpay.1    then man wxpay";

/// What stands below the options of `wxpay --help`, in sections.
pub(super) const SECTIONS: &[&str] = &[EXAMPLES, SETTINGS, ENVIRONMENT, EXIT_CODES];

/// What stands below the options of a command, by its name.
const BELOW: &[(&str, &str)] = &[
    ("req", REQ),
    ("wire", WIRE),
    ("certs", CERTS),
    ("doctor", DOCTOR),
    ("port", PORT),
    #[cfg(feature = "sandbox")]
    ("sandbox", SANDBOX),
    ("completions", COMPLETIONS),
    ("man", MAN),
];

/// Puts these texts below the options, and keeps the lines within 100 columns.
pub(super) fn add(command: clap::Command) -> clap::Command {
    let more = "Settings, environment variables and exit codes: wxpay --help";
    let command =
        command.max_term_width(100).after_help(format!("{EXAMPLES}\n\n{more}")).after_long_help(SECTIONS.join("\n\n"));
    BELOW.iter().fold(command, |command, (name, text)| {
        command.mut_subcommand(name, |sub| match *name {
            // Scripts ask for these.
            "req" | "certs" => sub.after_help(*text).after_long_help(format!("{text}\n\n{EXIT_CODES}")),
            _ => sub.after_help(*text),
        })
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_has_an_example_and_no_line_is_broken() {
        let command = add(crate::cli::args::Args::command());
        for below in command.get_subcommands() {
            assert!(BELOW.iter().any(|(name, _)| *name == below.get_name()), "{} has no example", below.get_name());
        }
        for line in SECTIONS.iter().chain(BELOW.iter().map(|(_, text)| text)).flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 100, "longer than 100 columns: {line}");
        }
    }

    #[test]
    fn every_argument_is_explained() {
        fn look(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} of {}", argument.get_id(), command.get_name());
            }
            assert!(command.get_about().is_some(), "{}", command.get_name());
            command.get_subcommands().for_each(look);
        }
        look(&add(crate::cli::args::Args::command()));
    }
}
