/** The admission webhook: an HTTPS server that answers reviews of new pods. */

export { WEBHOOK_PATH } from './request.ts';
export { startWebhookServer } from './webhook_server.ts';
