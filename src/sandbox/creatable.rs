//! Which numbers documented calls create. A query of such a number is refused if no call created
//! it.

use std::collections::HashSet;

use super::numbers;
use crate::catalog::{Catalog, Place};

/// The names of the numbers that documented calls create, by product.
#[derive(Default)]
pub(super) struct Creatable(HashSet<(String, String)>);

impl Creatable {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let mut names = HashSet::new();
        for call in catalog.calls() {
            let Some(template) = call.template().filter(|template| numbers::creates(call.method().as_str(), template))
            else {
                continue;
            };
            // The user creates a contract by signing it. The call only ends it.
            if template.ends_with("/terminate") {
                continue;
            }
            let product = numbers::product(template);
            let place = if numbers::is_v2(template) { Place::Xml } else { Place::Json };
            let requested = |name: &str| call.fields(place).iter().any(|field| field.name == name);
            let by_merchant = call.fields(place).iter().map(|field| &field.name);
            let by_merchant = by_merchant.filter(|name| numbers::is_merchants(name));
            let by_service = call.response().iter().map(|field| &field.name);
            let by_service = by_service.filter(|name| numbers::is_number(name) && !requested(name));
            let new = by_merchant.chain(by_service).filter(|name| !template.contains(&format!("{{{name}}}")));
            names.extend(new.map(|name| (product.clone(), name.clone())));
        }
        Creatable(names)
    }

    pub(super) fn contains(&self, product: &str, name: &str) -> bool {
        self.0.contains(&(product.to_owned(), name.to_owned()))
    }
}
