//! Text of the program, as the argument of `seg` and as an index.

/// Text of the program: a string literal, or a constant of the type `&'static str`.
///
/// [`Chain::seg`](crate::Chain::seg) and `client["..."]` take it. The compiler explains what to
/// write instead of a value of the run time:
///
/// ```compile_fail
/// # fn show(client: wechatpay_chain::Client, id: String) {
/// let order = &client[format!("v3/pay/transactions/id/{id}")];
/// # }
/// ```
///
/// ```
/// # fn show(client: wechatpay_chain::Client, id: String) {
/// let order = client.chain("v3/pay/transactions/id/{id}").get(serde_json::json!({ "id": id }));
/// # }
/// ```
///
/// No other type can implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a string literal, which `seg` and `client[...]` take",
    label = "may be a value of the run time",
    note = "write a variable for a value: `client.chain(\"v3/pay/transactions/id/{{id}}\").get(json!({{ \"id\": id }}))`",
    note = "a path that is built at run time: `client.chain(&path)`"
)]
pub trait StaticText: sealed::Sealed {
    #[doc(hidden)]
    fn text(self) -> &'static str;
}

// The attribute keeps `&str` out of the message, which would omit its lifetime.
#[diagnostic::do_not_recommend]
impl StaticText for &'static str {
    fn text(self) -> &'static str {
        self
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &'static str {}
}
