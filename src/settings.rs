//! PHP's map: the array of `Builder::factory`, key by key.

use serde_json::Value;

use crate::config::ClientBuilder;
use crate::error::Error;
use crate::options::{self, kind, proxy, seconds, text};

impl ClientBuilder {
    /// PHP's map.
    pub(crate) fn from_settings(settings: Value) -> Result<Self, Error> {
        let Value::Object(members) = settings else {
            return Err(Error::config(format!(
                "the settings are {} where an object is needed, such as {{\"mchid\": \"...\", ...}}",
                kind(&settings)
            )));
        };
        let mut builder = ClientBuilder::new();
        for (key, value) in members {
            let Some((_, set)) = SETTINGS.iter().find(|(name, _)| *name == key) else {
                return Err(unknown(&key));
            };
            builder = set(builder, value).map_err(|said| Error::config(format!("the setting {key}: {said}")))?;
        }
        Ok(builder)
    }
}

type Set = fn(ClientBuilder, Value) -> Result<ClientBuilder, String>;

/// The keys of PHP's `Builder::factory`.
const SETTINGS: &[(&str, Set)] = &[
    ("mchid", |builder, value| match value {
        Value::Number(number) if number.is_u64() => Ok(builder.mchid(number.to_string())),
        other => Ok(builder.mchid(text(other)?)),
    }),
    ("serial", |builder, value| Ok(builder.serial(text(value)?))),
    ("privateKey", |builder, value| Ok(builder.private_key(text(value)?))),
    ("certs", |builder, value| {
        let members = match value {
            Value::Object(members) => members,
            other => return Err(format!("{} where an object of serial and key is needed", kind(&other))),
        };
        members.into_iter().try_fold(builder, |builder, (id, key)| {
            let key = text(key).map_err(|said| {
                format!(
                    "{id:?} is {said}; where PHP has 'any' => null to download certificates, give the apiv3_key here"
                )
            })?;
            Ok(builder.platform_key(id, key))
        })
    }),
    ("apiv3_key", |builder, value| Ok(builder.apiv3_key(text(value)?))),
    ("base_uri", |builder, value| Ok(builder.base_uri(text(value)?))),
    ("timeout", |builder, value| Ok(builder.timeout(seconds(&value)?))),
    ("connect_timeout", |builder, value| Ok(builder.connect_timeout(seconds(&value)?))),
    ("proxy", |mut builder, value| {
        builder.proxy = proxy(value)?;
        Ok(builder)
    }),
    // APIv2's settings stand in the same map; a map carried over from PHP must not be refused for them.
    ("secret", |builder, value| text(value).map(|_| builder)),
    ("merchant", |builder, value| match value {
        Value::Object(_) => Ok(builder),
        other => Err(format!("{} where an object with cert and key is needed", kind(&other))),
    }),
];

fn unknown(key: &str) -> Error {
    if let Some(instead) = options::elsewhere(key) {
        return Error::config(format!("the setting {key:?} has no meaning here: {instead}"));
    }
    if options::is_reserved(key) {
        return Error::config(format!("the setting {key:?} is an option of a call here: give it with the call"));
    }
    let names = || SETTINGS.iter().map(|(name, _)| *name);
    let close = names()
        .find(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &key.to_lowercase().replace('_', "")) <= 2);
    Error::config(match close {
        Some(name) => format!("the setting {key:?} is not known: did you mean {name:?}?"),
        None => {
            format!("the setting {key:?} is not known: the settings are {}", names().collect::<Vec<_>>().join(", "))
        }
    })
}
