// Opens the connections of node's https through the proxy of HTTPS_PROXY, for versions of node that
// do not read it. Loaded with NODE_OPTIONS=--require by wxpay sandbox exec.
'use strict';
const http = require('http');
const https = require('https');
const tls = require('tls');

const [major, minor] = process.versions.node.split('.').map(Number);
const readsProxy = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
const address = process.env.HTTPS_PROXY;

if (address && !readsProxy) {
  const proxy = new URL(address);
  const isLocal = (host) => /^(localhost|127\..*|\[?::1\]?)$/.test(host);
  const direct = https.Agent.prototype.createConnection;
  https.Agent.prototype.createConnection = function createConnection(options, done) {
    const host = options.servername || options.host || options.hostname;
    if (options.socket || isLocal(options.host || host)) return direct.call(this, options, done);
    const target = `${options.host}:${options.port || 443}`;
    const request = http.request({
      host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: target, headers: { host: target }, agent: false,
    });
    request.once('error', done);
    request.once('connect', (response, socket, head) => {
      if (response.statusCode !== 200) {
        let text = head.toString();
        socket.on('data', (chunk) => { text += chunk; });
        socket.on('close', () => done(new Error(`the proxy refused ${target}: ${text.trim() || response.statusCode}`)));
        return;
      }
      done(null, tls.connect({ ...options, socket, servername: host }));
    });
    request.end();
  };
}
