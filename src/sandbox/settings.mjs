// The merchant of the local sandbox, for wechatpay-axios-plugin.
import { readFileSync } from 'node:fs';
import { Wechatpay } from 'wechatpay-axios-plugin';

export const apiv3Key = '@APIV3_KEY@';
export const wxpay = new Wechatpay({
  mchid: '@MCHID@',
  serial: '@SERIAL@',
  privateKey: readFileSync('@PRIVATE_KEY@'),
  certs: {
    '@PUBLIC_KEY_ID@': readFileSync('@PUBLIC_KEY@'),
    '@CERT_SERIAL@': readFileSync('@CERT@'),
  },
  secret: '@SECRET@',
  baseURL: '@BASE_URI@',
});
