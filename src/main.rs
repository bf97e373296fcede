//! The command `wxpay`; its parts are in `src/cli/`.

fn main() -> std::process::ExitCode {
    wechatpay_chain::__private::main()
}
