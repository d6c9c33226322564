// Checks signatures with Node's own crypto, as the platform documents it, and with the stock standardwebhooks
// package. Reads {"fixed", "requests"} from standard input and answers in the same order; judges nothing.
const crypto = require('node:crypto');
const { Webhook, WebhookVerificationError } = require('standardwebhooks');

const webhook = ({ secret, raw }) => new Webhook(secret, raw ? { format: 'raw' } : {});

function platformAccepts({ secret, headers, body }) {
  const rawBody = Buffer.from(body);
  const expected = crypto.createHmac('sha256', secret).update(rawBody).digest('hex');
  return crypto.timingSafeEqual(Buffer.from(headers['x-wl-signature']), Buffer.from(expected));
}

function standardAccepts(request) {
  try {
    webhook(request).verify(Buffer.from(request.body), request.headers, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

const { fixed, requests } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const signed = fixed.map((c) => webhook(c).sign(c.id, new Date(c.timestamp * 1000), c.body));
const accepted = requests.map((r) => ({ platform: platformAccepts(r), standard: standardAccepts(r) }));
console.log(JSON.stringify({ signed, accepted }));
