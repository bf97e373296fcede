// The npm package wechatpay-axios-plugin, pointed at the local sandbox by its baseURL alone. docs/SANDBOX-SDKS.md shows how to run it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const env = (name) => process.env[name] ?? assert.fail(`the variable ${name} is missing`);
const installed = resolve(process.env.WECHATPAY_SDKS || dirname(fileURLToPath(import.meta.url)));
const require = createRequire(join(installed, 'package.json'));
const { Aes: { AesGcm }, Decorator, Formatter, Rsa, Wechatpay } = require('wechatpay-axios-plugin');

const baseURL = env('WXPAY_BASE_URI');
const mchid = env('WXPAY_MCHID');
const apiv3Key = env('WXPAY_APIV3_KEY');
const folder = env('WXPAY_SANDBOX');
const merchant = { baseURL, mchid, serial: env('WXPAY_SERIAL'), privateKey: env('WXPAY_PRIVATE_KEY'), timeout: 10_000 };

let steps = 0;
const done = (what) => console.log(`${steps += 1}. ${what}`);

// The platform certificates, by the SDK's own decryption and verification. What verifies the answer stands in the answer, so that it is
// opened first.
const certs = {};
const open = (text) => {
  for (const { serial_no: serial, encrypt_certificate: { ciphertext, nonce, associated_data: aad } } of JSON.parse(text).data) {
    certs[serial] = AesGcm.decrypt(ciphertext, apiv3Key, nonce, aad);
  }
  return text;
};
const nobody = new Wechatpay({ ...merchant, certs: { any: undefined } });
const [, ...parse] = nobody.client.v3.defaults.transformResponse;
const { data: { data: [{ serial_no: certSerial }] } } = await nobody.v3.certificates.get({
  transformResponse: [open, Decorator.responseVerifier(certs), ...parse],
});
assert.equal(certs[certSerial], readFileSync(join(folder, 'wechatpay_cert.pem'), 'utf8'));
done('certificates downloaded, decrypted and verified');

const wxpay = new Wechatpay({ ...merchant, certs });

// The merchant's notify_url: 204 to what the SDK verifies and decrypts, 401 to anything else.
const told = (headers, body) => {
  const { 'wechatpay-timestamp': timestamp, 'wechatpay-nonce': nonce } = headers;
  assert.ok(Math.abs(Formatter.timestamp() - Number(timestamp)) <= 300);
  const certificate = certs[headers['wechatpay-serial']];
  assert.ok(certificate && Rsa.verify(Formatter.response(timestamp, nonce, body), headers['wechatpay-signature'], certificate));
  const notification = JSON.parse(body);
  const { ciphertext, nonce: iv, associated_data: aad } = notification.resource;
  return { ...notification, resource: JSON.parse(AesGcm.decrypt(ciphertext, apiv3Key, iv, aad)) };
};
const notify = createServer(async (request, response) => {
  const chunks = await request.toArray();
  let notification = null;
  try {
    notification = told(request.headers, Buffer.concat(chunks).toString());
  } catch { /* refused */ }
  response.writeHead(notification ? 204 : 401).end();
  response.on('close', () => notify.emit('told', notification));
});
await once(notify.listen(0, '127.0.0.1'), 'listening');
const notifyUrl = `http://127.0.0.1:${notify.address().port}/notify`;
const arrival = async () => (await once(notify, 'told', { signal: AbortSignal.timeout(20_000) }))[0];

// What a buyer or a tester does.
const control = async (call, body) => {
  const answer = await fetch(`${process.env.WXPAY_SANDBOX_URL ?? baseURL}sandbox/${call}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
};

const outTradeNo = 'axios-1';
const { data: { code_url: codeUrl } } = await wxpay.v3.pay.transactions.native.post({
  appid: 'wxd678efh567hg6787', mchid, description: 'Image形象店-深圳腾大-QQ公仔', out_trade_no: outTradeNo, notify_url: notifyUrl,
  amount: { total: 100, currency: 'CNY' },
});
assert.match(codeUrl, /^weixin:\/\//);
done('native order placed');

const query = (of, config) => of.v3.pay.transactions.outTradeNo._out_trade_no_
  .get({ out_trade_no: outTradeNo, params: { mchid }, ...config });
assert.equal((await query(wxpay)).data.trade_state, 'NOTPAY');
done('order queried: not paid');

let awaited = arrival();
const { transaction_id: transactionId } = await control('pay', { out_trade_no: outTradeNo });
done('order paid');

const paid = await awaited;
assert.equal(paid?.event_type, 'TRANSACTION.SUCCESS');
assert.deepEqual(
  [paid.resource.out_trade_no, paid.resource.transaction_id, paid.resource.trade_state, paid.resource.amount.total],
  [outTradeNo, transactionId, 'SUCCESS', 100],
);
done('notification of the payment verified and decrypted');

awaited = arrival();
await control('probe', { notify_url: notifyUrl });
assert.equal(await awaited, null);
done('notification with a wrong signature refused');

const { data: success } = await wxpay.v3.pay.transactions.id['{transaction_id}']
  .get({ transaction_id: transactionId, params: { mchid } });
assert.equal(success.trade_state, 'SUCCESS');
done('order queried: paid');

awaited = arrival();
const { data: refund } = await wxpay.v3.refund.domestic.refunds.post({
  out_trade_no: outTradeNo, out_refund_no: 'axios-r1', reason: '商品已售完', notify_url: notifyUrl,
  amount: { refund: 30, total: 100, currency: 'CNY' },
});
assert.equal(refund.status, 'PROCESSING');
done('refund asked for');

const refunded = await awaited;
assert.equal(refunded?.event_type, 'REFUND.SUCCESS');
assert.deepEqual([refunded.resource.refund_id, refunded.resource.amount.refund], [refund.refund_id, 30]);
done('notification of the refund verified and decrypted');

const { data: gone } = await wxpay.v3.refund.domestic.refunds._out_refund_no_.get({ out_refund_no: 'axios-r1' });
assert.equal(gone.status, 'SUCCESS');
done('refund queried: done');

await control('fault', { fault: 'wrong-signature' });
await assert.rejects(query(wxpay), { code: 'EV3_RES_HEADER_SIGNATURE_DIGEST' });
done('answer with a wrong signature refused');

// The settings that the sandbox wrote, as they are: they import the package, which must be found from where they stand.
if (!existsSync(join(folder, 'node_modules'))) {
  symlinkSync(join(installed, 'node_modules'), join(folder, 'node_modules'), 'junction');
}
const settings = await import(pathToFileURL(join(folder, 'settings.mjs')));
assert.equal(settings.apiv3Key, apiv3Key);
const byKey = await query(settings.wxpay, { headers: { 'Wechatpay-Serial': env('WXPAY_PLATFORM_KEY_ID') } });
assert.equal(byKey.headers.get('Wechatpay-Serial'), env('WXPAY_PLATFORM_KEY_ID'));
assert.equal(byKey.data.trade_state, 'REFUND');
done('settings.mjs: answer verified with the public key');

notify.close();
console.log(`wechatpay-axios-plugin ${require('wechatpay-axios-plugin/package.json').version}: ${steps} steps done`);
