//! Handlers of notifications: code that verifies a request of WeChat Pay by hand becomes a function
//! that takes the request and returns the response. This requires that all its uses of the request
//! are known, and that no other function writes to the response.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::frame::Handler;
use super::imports::{PHP, VERIFIER};
use super::syntax::{arguments, bare, called, children, field, variable};
use super::value::{Expr, Type};

/// The parameters of a handler in Rust.
pub(super) fn parameters() -> [Code; 2] {
    [code!("request: &{PHP}::Request"), code!("notifications: &{VERIFIER}")]
}

/// The doc comment of a handler in the generated program.
pub(super) const NOTE: &str = "/// Answers a notification. Give it the headers and the unchanged body of the \
     request, as\n/// `php::Request::new(headers, body)`, and `client.notifications()`, which also checks the time and\n\
     /// refuses replays. The client needs the APIv3 key and the platform keys.";

/// A part of the request.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    Header(String),
    Headers,
    Body,
}

impl<'t> Porter<'t> {
    /// The handler data of a function. `None` if the function is not certainly a handler.
    pub(super) fn handler_of(&self, function: Node<'t>) -> Option<Rc<Handler>> {
        if !self.marks.verifies {
            return None;
        }
        if let Some(known) = self.handlers.borrow().get(&function.id()) {
            return known.clone();
        }
        let found = self.found_handler(function).map(Rc::new);
        self.handlers.borrow_mut().insert(function.id(), found.clone());
        found
    }

    fn found_handler(&self, function: Node<'t>) -> Option<Handler> {
        if function.kind() == "program" && self.files.is_crate {
            return None;
        }
        let body = field(function, "body").unwrap_or(function);
        let parameter = self.request_parameter(function);
        let scan = Scan::new(self, body, parameter.as_deref())?;
        let [call] = scan.verified.as_slice() else { return None };
        let given = arguments(*call)?;
        let [message, signature, _] = given.as_slice() else { return None };
        let pieces = arguments(*message).filter(|_| self.is_sdk_call(*message, "formatter", "joinedByLineFeed"))?;
        let [timestamp, nonce, text] = pieces.as_slice() else { return None };
        let expected = [
            (timestamp, Source::Header("wechatpay-timestamp".to_owned())),
            (nonce, Source::Header("wechatpay-nonce".to_owned())),
            (text, Source::Body),
            (signature, Source::Header("wechatpay-signature".to_owned())),
        ];
        let name = parameter.as_deref();
        if !expected.iter().all(|(node, source)| self.value_source(**node, body, name, 0).as_ref() == Some(source)) {
            return None;
        }
        if self.writes_server(function) {
            return None;
        }
        // A function that other code calls is not a handler: the caller has no request to pass.
        let own = field(function, "name").map(|name| self.text(name).to_lowercase());
        let is_called = own.is_some_and(|name| self.marks.calls(&name));
        if is_called || scan.answers && scan.returns || self.others_answer(function) {
            return None;
        }
        if function.kind() == "program" && scan.returns {
            return None;
        }
        Some(Handler { parameter, verify: call.start_byte(), is_printing: !scan.returns })
    }

    /// Whether another function of the file prints, sets headers, or ends the request.
    fn others_answer(&self, handler: Node<'t>) -> bool {
        let mut root = handler;
        while let Some(parent) = root.parent() {
            root = parent;
        }
        let mut stack = vec![(root, false)];
        while let Some((node, inner)) = stack.pop() {
            if inner && answer(self, node).is_some() {
                return true;
            }
            let inner = inner || node.kind() == "function_definition" && node != handler;
            stack.extend(children(node).into_iter().map(|child| (child, inner)));
        }
        false
    }

    /// The parameter whose declared class is called `Request`.
    fn request_parameter(&self, function: Node<'t>) -> Option<String> {
        let parameters = field(function, "parameters").map(children).unwrap_or_default();
        let found = parameters.into_iter().find(|one| {
            let class = field(*one, "type").map(|ty| self.class(ty)).unwrap_or_default();
            matches!(class.rsplit('\\').next(), Some("request" | "serverrequestinterface"))
        });
        found.and_then(|one| field(one, "name")).and_then(|name| variable(name, self.php)).map(str::to_owned)
    }

    fn is_sdk_call(&self, node: Node<'t>, class: &str, method: &str) -> bool {
        node.kind() == "scoped_call_expression"
            && field(node, "name").is_some_and(|name| self.text(name).eq_ignore_ascii_case(method))
            && field(node, "scope").is_some_and(|scope| self.class(scope) == format!("wechatpay\\{class}"))
    }

    /// The part of the request that a value contains. The value reads it directly, or through a
    /// variable with one assignment, which is executed before the value is read.
    fn value_source(&self, node: Node<'t>, body: Node<'t>, request: Option<&str>, depth: usize) -> Option<Source> {
        let node = bare(node);
        if let Some(source) = self.source(node, request) {
            return Some(source);
        }
        match node.kind() {
            "cast_expression" if field(node, "type").is_some_and(|ty| self.text(ty).contains("string")) => {
                self.value_source(field(node, "value")?, body, request, depth)
            }
            // `$value ?? ''` is accepted, because the verification of an empty value fails.
            "binary_expression" if field(node, "operator").is_some_and(|one| self.text(one) == "??") => {
                let other = self.text(bare(field(node, "right")?));
                let empty = matches!(other, "''" | "\"\"" | "null");
                self.value_source(field(node, "left")?, body, request, depth).filter(|_| empty)
            }
            "subscript_expression" => match children(node).as_slice() {
                [of, key] if self.value_source(*of, body, request, depth) == Some(Source::Headers) => {
                    Some(Source::Header(self.plain_text(*key)?.to_lowercase()))
                }
                _ => None,
            },
            "variable_name" if depth < 4 => {
                let name = variable(node, self.php)?;
                self.value_source(self.only_value(node, name, body)?, body, request, depth + 1)
            }
            _ => None,
        }
    }

    /// The value of the variable that is read at `node`, if only one statement writes it. The block
    /// of the statement must contain `node`, so that no branch skips the statement.
    fn only_value(&self, node: Node<'t>, name: &str, body: Node<'t>) -> Option<Node<'t>> {
        let mut found = None;
        // Each node, and whether it is inside a nested function or class.
        let mut stack = vec![(body, false)];
        while let Some((one, inner)) = stack.pop() {
            match variable(one, self.php) {
                Some("GLOBALS") => return None,
                Some(this) if this == name && inner => {
                    one.parent().filter(|parent| parent.kind() != "global_declaration")?;
                }
                Some(this) if this == name && !self.is_read(one) => {
                    let assignment = one.parent().filter(|parent| parent.kind() == "assignment_expression")?;
                    let statement = assignment.parent().filter(|parent| parent.kind() == "expression_statement")?;
                    let block = statement.parent()?;
                    let is_block = matches!(block.kind(), "compound_statement" | "colon_block" | "program");
                    let holds = block.start_byte() <= node.start_byte() && node.end_byte() <= block.end_byte();
                    if found.is_some() || !is_block || !holds || statement.end_byte() > node.start_byte() {
                        return None;
                    }
                    found = Some(field(assignment, "right")?);
                }
                _ => {}
            }
            let inner =
                inner || matches!(one.kind(), "function_definition" | "class_declaration" | "trait_declaration");
            stack.extend(children(one).into_iter().map(|child| (child, inner)));
        }
        found
    }

    /// Whether a variable, or an element of it, is only read. Any use that is not known to be a
    /// read is a write.
    fn is_read(&self, node: Node<'t>) -> bool {
        let mut node = node;
        while let Some(parent) = node.parent() {
            let is_element = matches!(parent.kind(), "subscript_expression" | "member_access_expression")
                && children(parent).first() == Some(&node);
            if !is_element {
                break;
            }
            node = parent;
        }
        let Some(parent) = node.parent() else { return false };
        match parent.kind() {
            "assignment_expression" | "augmented_assignment_expression" => field(parent, "right") == Some(node),
            "foreach_statement" => {
                let parts = children(parent);
                parts.first() == Some(&node) && !self.has_reference(&parts)
            }
            "argument" => {
                let call = parent.parent().and_then(|list| list.parent());
                !call.is_some_and(|call| super::scope::changes_argument(&called(call, self.php)))
            }
            "binary_expression"
            | "parenthesized_expression"
            | "cast_expression"
            | "conditional_expression"
            | "unary_op_expression"
            | "echo_statement"
            | "print_intrinsic"
            | "exit_statement"
            | "return_statement"
            | "sequence_expression"
            | "encapsed_string"
            | "heredoc_body"
            | "subscript_expression"
            | "array_element_initializer"
            | "anonymous_function_use_clause"
            | "arrow_function"
            | "match_expression"
            | "match_condition_list" => true,
            _ => false,
        }
    }

    /// Whether a `foreach` assigns its variables by reference.
    fn has_reference(&self, parts: &[Node<'t>]) -> bool {
        let mut heads = parts.iter().filter(|part| matches!(part.kind(), "by_ref" | "pair"));
        heads.any(|part| self.text(*part).contains('&'))
    }

    /// Whether any code writes `$_SERVER`, which all functions share, or uses `$GLOBALS`.
    fn writes_server(&self, function: Node<'t>) -> bool {
        let mut root = function;
        while let Some(parent) = root.parent() {
            root = parent;
        }
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            match variable(node, self.php) {
                Some("_SERVER") if !self.is_read(node) => return true,
                Some("GLOBALS") => return true,
                _ => stack.extend(children(node)),
            }
        }
        false
    }

    fn plain_text(&self, node: Node<'t>) -> Option<&'t str> {
        let text = self.text(bare(node));
        let inner = text.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
        (!inner.contains(['$', '\\'])).then_some(inner)
    }

    /// The part of the request that an expression reads, given the parameter with the request.
    fn source(&self, node: Node<'t>, request: Option<&str>) -> Option<Source> {
        let header = |node: Node<'t>| Some(Source::Header(self.plain_text(node)?.to_lowercase()));
        match node.kind() {
            "subscript_expression" => {
                let parts = children(node);
                let [of, key] = parts.as_slice() else { return None };
                let name = self.plain_text(*key).filter(|_| self.text(*of) == "$_SERVER")?;
                Some(Source::Header(name.strip_prefix("HTTP_")?.replace('_', "-").to_lowercase()))
            }
            "function_call_expression" => match (called(node, self.php).as_str(), arguments(node)?.as_slice()) {
                ("file_get_contents", [path]) if self.plain_text(*path) == Some("php://input") => Some(Source::Body),
                ("getallheaders" | "apache_request_headers", []) => Some(Source::Headers),
                _ => None,
            },
            "member_call_expression" => {
                let (object, method) = (bare(field(node, "object")?), self.text(field(node, "name")?));
                let given = arguments(node)?;
                if let ("get", [name]) = (method, given.as_slice()) {
                    let bag = object.kind() == "member_access_expression"
                        && field(object, "name").is_some_and(|name| self.text(name) == "headers");
                    return field(object, "object")
                        .filter(|of| bag && self.is_request(*of, request))
                        .and(header(*name));
                }
                if !self.is_request(object, request) {
                    return None;
                }
                match (method, given.as_slice()) {
                    ("header" | "getHeaderLine", [name]) => header(*name),
                    ("getContent" | "getInput", []) => Some(Source::Body),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn is_request(&self, node: Node<'t>, request: Option<&str>) -> bool {
        let node = bare(node);
        let helper = node.kind() == "function_call_expression"
            && self.text(node).split_whitespace().collect::<String>() == "request()";
        helper || (request.is_some() && variable(node, self.php) == request)
    }

    /// The expression for code that reads a part of the request; `None` for other code.
    pub(super) fn request_part(&mut self, node: Node<'t>) -> Option<Expr> {
        let handler = self.state.frames.last()?.handler.clone()?;
        if node.start_byte() == handler.verify && self.is_sdk_call(node, "crypto\\rsa", "verify") {
            let code = "notifications.verify(request.headers(), request.body()).is_ok()";
            return Some(Expr::new(code, Type::Bool));
        }
        Some(match self.source(node, handler.parameter.as_deref())? {
            Source::Header(name) => Expr::new(code!("request.header({})", Code::quoted(&name)), Type::Value),
            Source::Headers => Expr::new("request.all_headers()", Type::Value),
            Source::Body => Expr::new(code!("request.text(){}", self.try_any()), Type::Text),
        })
    }

    /// Whether the function that is being converted is a handler whose response is the printed
    /// text.
    pub(super) fn is_printing(&mut self) -> bool {
        self.frame().handler.as_ref().is_some_and(|handler| handler.is_printing)
    }

    /// Converts `header()` and `http_response_code()` in a handler.
    pub(super) fn sent(&mut self, name: &str, given: &[Node<'t>]) -> Option<Expr> {
        if !self.is_printing() {
            return None;
        }
        match (name, given) {
            ("header", [line]) => {
                let line = self.expression(*line);
                let line = self.str(&line);
                Some(Expr::new(code!("output.header({line})"), Type::Unit))
            }
            ("http_response_code", [status]) => {
                let status = self.expression(*status);
                let status = self.int(&status);
                Some(Expr::new(code!("output.status({status})"), Type::Unit))
            }
            _ => None,
        }
    }
}

/// Code that writes the response to the request, or ends it.
enum Answer {
    /// It can be converted in a handler.
    Statement,
    /// It cannot be converted in a handler.
    Other,
}

fn answer(porter: &Porter<'_>, node: Node<'_>) -> Option<Answer> {
    match node.kind() {
        "exit_statement" | "echo_statement" | "print_intrinsic" => Some(Answer::Statement),
        "function_call_expression" => match called(node, porter.php).as_str() {
            "header" | "http_response_code" | "die" | "exit" => Some(Answer::Statement),
            "printf" | "print_r" | "var_dump" | "var_export" | "setcookie" | "header_remove" | "ob_start"
            | "readfile" | "fpassthru" => Some(Answer::Other),
            _ => None,
        },
        _ => None,
    }
}

/// The properties of a function that decide whether it is a handler.
struct Scan<'t> {
    /// The calls of `Rsa::verify`.
    verified: Vec<Node<'t>>,
    /// Whether it prints, sets headers, or ends the request.
    answers: bool,
    /// Whether it returns a value.
    returns: bool,
}

impl<'t> Scan<'t> {
    /// Returns `None` if the body contains code that a handler cannot contain.
    fn new(porter: &Porter<'t>, body: Node<'t>, request: Option<&str>) -> Option<Self> {
        let mut scan = Scan { verified: Vec::new(), answers: false, returns: false };
        // Each node, and whether it is in a loop, a closure, or a `try` with `finally`.
        let mut stack = vec![(body, false)];
        while let Some((node, inner)) = stack.pop() {
            if porter.source(node, request).is_some() {
                continue;
            }
            let mut inner = inner;
            match answer(porter, node) {
                Some(Answer::Statement) => {
                    scan.answers = true;
                    let is_call = node.kind() == "function_call_expression";
                    if inner || is_call && arguments(node).is_none_or(|given| given.len() > 1) {
                        return None;
                    }
                }
                Some(Answer::Other) => return None,
                None => {}
            }
            match node.kind() {
                "function_definition" | "class_declaration" | "trait_declaration" | "interface_declaration" => continue,
                "foreach_statement" | "for_statement" | "while_statement" | "do_statement" => {
                    // A handler verifies one notification, so the call is not in a loop.
                    let mut within = vec![node];
                    while let Some(one) = within.pop() {
                        if porter.is_sdk_call(one, "crypto\\rsa", "verify") {
                            return None;
                        }
                        within.extend(children(one));
                    }
                }
                "anonymous_function" | "arrow_function" => inner = true,
                "goto_statement" => return None,
                "try_statement" if children(node).iter().any(|one| one.kind() == "finally_clause") => inner = true,
                "scoped_call_expression" if porter.is_sdk_call(node, "crypto\\rsa", "verify") => {
                    scan.verified.push(node);
                    if inner {
                        return None;
                    }
                }
                "return_statement" => scan.returns |= !inner && !children(node).is_empty(),
                "text_interpolation" if !porter.page_text(node).is_empty() => return None,
                // This use of the framework's request is not known.
                "variable_name" if request.is_some() && variable(node, porter.php) == request => return None,
                _ => {}
            }
            stack.extend(children(node).into_iter().map(|child| (child, inner)));
        }
        Some(scan)
    }
}
