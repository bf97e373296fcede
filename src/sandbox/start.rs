//! Starts a sandbox: opens its data folder, restores its state, and starts its server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::builder::SandboxBuilder;
use super::delivery::Delivery;
use super::inner::SandboxInner;
use super::keys::{self, Keys};
use super::ledger::Ledger;
use super::objects::Objects;
use super::outbox::Outbox;
use super::platform::Platform;
use super::refusal_log::RefusalLog;
use super::rows::Table;
use super::state::State;
use super::store::Store;
use super::{Sandbox, data_dir, server};
use crate::error::Error;
use crate::pipeline::http_service::HttpService;
use crate::transport::connect::Connector;
use crate::transport::http_client::HttpClient;
use crate::transport::pool::PoolConfig;
use crate::transport::proxy::Proxy;

/// What a data folder contains, or the defaults without one.
struct Restored {
    keys: Arc<Keys>,
    store: Store,
    ledger: Ledger,
    deliveries: Vec<Delivery>,
    objects: Objects,
}

impl SandboxBuilder {
    /// Starts the sandbox in a separate thread.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the port is in use, if the
    /// folder cannot be used or is in use by another sandbox, or if a setting is invalid.
    pub fn start(self) -> Result<Sandbox, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if !(0.001..=1e9).contains(&self.speed) {
            return Err(Error::config(format!(
                "the notification speed is {}, but must be from 0.001 to 1000000000",
                self.speed
            )));
        }
        let Restored { keys, store, ledger, deliveries, objects } = match &self.dir {
            Some(dir) => restore(dir)?,
            None => Restored {
                keys: keys::of_process()?,
                store: Store::in_memory(),
                ledger: Ledger::default(),
                deliveries: Vec::new(),
                objects: Objects::default(),
            },
        };
        let mut platform = Platform::new(keys);
        if self.certificates {
            platform.use_certificates()?;
        }
        let outbox = Outbox::new(deliveries, self.allowed_hosts, self.speed);
        let mut state = State::new(platform, ledger, outbox, objects, self.stubs);
        state.lenient = self.lenient;
        let connector = Connector::new(&Proxy::Off, &[], Duration::from_secs(5))?;
        let transport = HttpService::new(HttpClient::new(connector, PoolConfig::OFF));
        let mut inner = SandboxInner::new(state, store, transport, self.log.map(RefusalLog::start));
        inner.proxied_hosts = self.proxied_hosts;
        let inner = Arc::new(inner);
        let (stop, stopped) = oneshot::channel();
        let ([address, tls_address], thread) = server::start(self.port, Arc::clone(&inner), stopped)?;
        let sandbox = Sandbox { inner, address, tls_address, stop: Some(stop), thread: Some(thread) };
        if let Some(dir) = &self.dir {
            data_dir::write(&sandbox, dir).map_err(|source| {
                Error::config(format!("the folder {} cannot be written: {source}", dir.display())).with_source(source)
            })?;
        }
        Ok(sandbox)
    }
}

fn restore(dir: &Path) -> Result<Restored, Error> {
    std::fs::create_dir_all(dir).map_err(|source| {
        Error::config(format!("the folder {} cannot be created: {source}", dir.display())).with_source(source)
    })?;
    let (mut ledger, mut deliveries, mut objects) = (Ledger::default(), Vec::new(), Objects::default());
    let key_file = dir.join("sandbox-keys.json");
    // The database is opened first, because its lock keeps other sandboxes out of the folder.
    let store = Store::open(&dir.join("sandbox.redb"), &key_file, |table, key, row| match table {
        Table::Deliveries => {
            deliveries.push(serde_json::from_slice(row).map_err(|error| error.to_string())?);
            Ok(())
        }
        Table::Objects => objects.restore(key, row),
        table => ledger.restore(table, key, row),
    })?;
    let keys = Arc::new(Keys::of_folder(&key_file)?);
    Ok(Restored { keys, store, ledger, deliveries, objects })
}
