// Orders, pays and queries against `wxpay sandbox`, with Node's own modules: it signs the requests and
// verifies the responses itself.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID, sign, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const wxpay = 'node_modules/.bin/wxpay';
const folder = mkdtempSync(join(tmpdir(), 'wxpay-'));
const sandbox = spawn(wxpay, ['sandbox', '--port', '0', '--dir', folder, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  const [line] = await once(createInterface(sandbox.stdout), 'line');
  const { base_uri, mchid, serial, private_key, certs } = JSON.parse(line);

  const call = async (method, target, body = '') => {
    const timestamp = Math.floor(Date.now() / 1000);
    const nonce = randomUUID().replaceAll('-', '');
    const message = [method, target, timestamp, nonce, body, ''].join('\n');
    const signature = sign('sha256', message, readFileSync(private_key)).toString('base64');
    const fields = { mchid, serial_no: serial, timestamp, nonce_str: nonce, signature };
    const authorization = Object.entries(fields).map(([name, value]) => `${name}="${value}"`).join(',');
    const headers = {
      accept: 'application/json', 'content-type': 'application/json', 'user-agent': 'node',
      authorization: `WECHATPAY2-SHA256-RSA2048 ${authorization}`,
    };
    const response = await fetch(new URL(target, base_uri), { method, headers, body: body || undefined });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const header = (name) => response.headers.get(`wechatpay-${name}`);
    const signed = `${header('timestamp')}\n${header('nonce')}\n${text}\n`;
    // An old response could be a replay.
    assert.ok(Math.abs(Date.now() / 1000 - Number(header('timestamp'))) <= 300, header('timestamp'));
    const key = readFileSync(certs[header('serial')]);
    assert.ok(verify('sha256', signed, key, Buffer.from(header('signature'), 'base64')));
    return JSON.parse(text);
  };

  const order = await call('POST', '/v3/pay/transactions/native', JSON.stringify({
    appid: 'wxd678efh567hg6787', mchid, description: 'a book', out_trade_no: 'node-1',
    notify_url: 'https://example.com/notify', amount: { total: 100 },
  }));
  assert.match(order.code_url, /^weixin:/);
  execFileSync(wxpay, ['sandbox', 'pay', 'node-1', '--dir', folder]);
  const { trade_state } = await call('GET', `/v3/pay/transactions/out-trade-no/node-1?mchid=${mchid}`);
  assert.equal(trade_state, 'SUCCESS');
  console.log('Node: ordered, paid and queried an order');
} finally {
  sandbox.kill();
  await once(sandbox, 'exit');
  rmSync(folder, { recursive: true });
}
