//! The response of a documented call, made from the catalogue: values of the request and of the
//! object where the names agree, and plausible ones elsewhere.

use serde_json::{Map, Value, json};

use super::numbers;
use super::plausible::Seed;
use crate::catalog::{Encoding, Field, FieldType};
use crate::error::Error;

/// Where the values of a response come from.
pub(super) struct Sources<'a> {
    /// Values by name, for fields at any level: the query, the variables, and the body.
    pub(super) named: &'a Map<String, Value>,
    pub(super) seed: Seed<'a>,
    /// Whether the response also has the optional numbers of its object.
    pub(super) creates: bool,
    /// The length of the whole list, if the response contains a page of it.
    pub(super) total: Option<usize>,
    /// Encrypts a text for the merchant.
    pub(super) encrypt: &'a dyn Fn(&str) -> Result<Value, Error>,
}

impl Sources<'_> {
    /// An object with these fields: all required ones, and those that one of `given` has. `given`
    /// are the objects at the same path in what is known, the most certain one first.
    pub(super) fn object(
        &self,
        fields: &[Field],
        given: &[&Map<String, Value>],
        path: &str,
    ) -> Result<Map<String, Value>, Error> {
        let mut members = Map::new();
        for field in fields {
            let name = field.name.replace("$n", "0").replace("$m", "0");
            if members.contains_key(&name) {
                continue;
            }
            let below = format!("{path}.{name}");
            let values: Vec<&Value> = given.iter().filter_map(|object| object.get(&name)).collect();
            if let Some(value) = self.field(field, &values, &below)? {
                members.insert(name, value);
            }
        }
        // How many there are is known.
        let length = members.values().find_map(Value::as_array).map(Vec::len);
        let total = self.total.filter(|_| path.is_empty()).or(length);
        // If the response has another field for the total, `count` is the length of the page.
        let has_other = fields.iter().any(|field| field.name != "count" && is_total(&field.name));
        for field in fields.iter().filter(|field| is_total(&field.name)) {
            if let Some(length) = if has_other && field.name == "count" { length } else { total } {
                let is_text = self.seed.is_v2 || field.field_type == FieldType::String;
                let total = if is_text { Value::from(length.to_string()) } else { length.into() };
                members.insert(field.name.clone(), total);
            }
        }
        Ok(members)
    }

    /// The value of a field; `None` if it is optional and not known.
    fn field(&self, field: &Field, given: &[&Value], path: &str) -> Result<Option<Value>, Error> {
        if field.field_type == FieldType::Object {
            return self.objects(field, given, path);
        }
        if field.field_type == FieldType::String && !field.fields.is_empty() && field.encoding != Encoding::UrlEncoded {
            return self.json_text(field, given, path);
        }
        if field.list {
            let lists = given.iter().filter_map(|value| value.as_array());
            let known =
                lists.map(|items| items.iter().filter(|item| self.fits(field, item))).map(Iterator::collect::<Vec<_>>);
            let mut known = known.filter(|items| !items.is_empty());
            return match known.next() {
                Some(items) => {
                    items.into_iter().map(|item| self.encoded(field, item.clone())).collect::<Result<_, _>>()
                }
                None if field.required => self.encoded(field, self.generated(field, path)?).map(|item| json!([item])),
                None => return Ok(None),
            }
            .map(Some);
        }
        let is_number = self.creates && path.matches('.').count() == 1 && numbers::is_number(&field.name);
        let is_required = field.required || is_number;
        let reached = self.seed.reached(&field.values).map(Value::from);
        let given = given.iter().copied();
        let here =
            reached.as_ref().filter(|_| is_required).or_else(|| given.clone().find(|value| self.fits(field, value)));
        let known = here.or_else(|| self.named.get(&field.name).filter(|value| is_required && self.fits(field, value)));
        match known {
            Some(value) => self.encoded(field, value.clone()).map(Some),
            None if is_required => self.encoded(field, self.generated(field, path)?).map(Some),
            None => Ok(None),
        }
    }

    fn objects(&self, field: &Field, given: &[&Value], path: &str) -> Result<Option<Value>, Error> {
        if field.list {
            let known = given.iter().find_map(|value| value.as_array());
            let items: Vec<&Map<String, Value>> = known.into_iter().flatten().filter_map(Value::as_object).collect();
            let objects: Vec<Value> = match &items[..] {
                // An empty list is one that is known to be empty.
                [] if known.is_some() => Vec::new(),
                [] if !field.required => return Ok(None),
                [] => vec![self.object(&field.fields, &[], path)?.into()],
                items => {
                    let numbered = items.iter().enumerate();
                    let objects = numbered.map(|(index, item)| {
                        self.object(&field.fields, &[item], &format!("{path}[{index}]")).map(Value::from)
                    });
                    objects.collect::<Result<_, _>>()?
                }
            };
            return Ok(Some(objects.into()));
        }
        let known: Vec<&Map<String, Value>> = given.iter().filter_map(|value| value.as_object()).collect();
        if known.is_empty() && !field.required {
            return Ok(None);
        }
        if field.fields.is_empty() {
            // The documentation does not list its fields.
            return Ok(Some(known.first().map_or_else(Map::new, |first| (*first).clone()).into()));
        }
        self.object(&field.fields, &known, path).map(|object| Some(object.into()))
    }

    fn generated(&self, field: &Field, path: &str) -> Result<Value, Error> {
        Ok(if field.encoding == Encoding::Json { "{}".into() } else { self.seed.value(field, path) })
    }

    /// A text that contains JSON. The tables give a list in a text as one field that is a list.
    fn json_text(&self, field: &Field, given: &[&Value], path: &str) -> Result<Option<Value>, Error> {
        let parsed = given.iter().find_map(|value| serde_json::from_str::<Value>(value.as_str()?).ok());
        if parsed.is_none() && !field.required {
            return Ok(None);
        }
        let list = match &field.fields[..] {
            [only] if only.list && only.field_type == FieldType::Object => Some(only),
            _ => None,
        };
        let text = match (list, &parsed) {
            (Some(only), Some(Value::Array(_))) => self.objects(only, &parsed.iter().collect::<Vec<_>>(), path)?,
            (Some(only), _) if self.seed.is_v2 => self.objects(only, &[], path)?,
            _ => {
                let known: Vec<&Map<String, Value>> = parsed.iter().filter_map(Value::as_object).collect();
                Some(self.object(&field.fields, &known, path)?.into())
            }
        };
        Ok(Some(text.unwrap_or_else(|| json!([])).to_string().into()))
    }

    /// Whether a value can be that of a field. In XML, all values are text.
    fn fits(&self, field: &Field, value: &Value) -> bool {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let is_text = self.seed.is_v2 && value.is_string();
        let has_type = match field.field_type {
            FieldType::String => value.is_string() && !text.is_empty(),
            FieldType::Integer => value.is_i64() || value.is_u64() || (is_text && text.parse::<i64>().is_ok()),
            FieldType::Number => value.is_number() || (is_text && text.parse::<f64>().is_ok()),
            FieldType::Boolean => value.is_boolean() || (is_text && matches!(text.as_str(), "true" | "false")),
            FieldType::Object => value.is_object(),
        };
        has_type && (field.values.is_empty() || field.values.contains(&text))
    }

    /// The value as it is sent.
    fn encoded(&self, field: &Field, value: Value) -> Result<Value, Error> {
        match (field.encoding, value.as_str()) {
            (Encoding::Encrypted, Some(text)) => (self.encrypt)(text),
            _ => Ok(value),
        }
    }
}

/// Whether a field is the length of a list beside it.
fn is_total(name: &str) -> bool {
    matches!(name, "total_count" | "count" | "total_num" | "data_count")
}
