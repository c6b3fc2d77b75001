/** The admission webhook: an HTTPS server that answers reviews of new pods. */

export { startWebhookServer, WEBHOOK_PATH } from './webhook_server.ts';
