//! Calls of APIv3: requests, responses, connections, keys.

mod attacks;
mod call_forms;
mod callers_code;
mod client_config;
mod concurrency;
pub(crate) mod corpus;
mod fault_matrix;
mod key_spellings;
mod keys;
mod layers;
mod limits;
mod network;
mod platform_keys;
mod rejected_requests;
mod rejected_responses;
mod request_options;
mod response_hints;
mod retry;
mod runtimes;
mod secret_positions;
mod secrets;
mod sensitive_fields;
mod signature_hints;
mod soak;
mod tracing_spans;
mod uploads_and_downloads;
mod urls;
