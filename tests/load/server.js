// The app of the load test: it says who it is and what it was sent, and echoes WebSocket messages.
// It ends as a good app does: no new requests, the open ones finished, WebSockets told to go.
import { createHash } from 'node:crypto';
import express from 'express';

const mark = process.env.MARK ?? 'CODE_MARK';
const app = express();

app.use('/echo', express.text({ type: () => true }));
app.all('/echo/:nonce', (request, response) => {
  const sent = typeof request.body === 'string' ? request.body.length : 0;
  const head = `mark ${mark} host ${request.headers.host} path ${request.originalUrl} sent ${sent}`;
  response.type('text').send(`${head} ${'.'.repeat(2000)}\n`);
});

const server = app.listen(Number(process.env.PORT), '0.0.0.0');
const sockets = new Set();

// A whole text message of less than 126 bytes fits one frame.
const text = (message) => Buffer.concat([Buffer.from([0x81, message.length]), message]);
const goingAway = Buffer.from([0x88, 2, 1001 >> 8, 1001 & 0xff]);

server.on('upgrade', (request, socket, head) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.write(text(Buffer.from(`mark ${mark}`)));
  sockets.add(socket);
  let input = head;
  const read = (bytes) => {
    input = Buffer.concat([input, bytes]);
    while (input.length >= 6 && input.length >= 6 + (input[1] & 0x7f)) {
      const length = input[1] & 0x7f;
      const mask = input.subarray(2, 6);
      const message = input.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]);
      if ((input[0] & 0x0f) === 8) socket.end();
      else socket.write(text(Buffer.from(message)));
      input = input.subarray(6 + length);
    }
  };
  socket.on('data', read);
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
});

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  for (const socket of sockets) socket.end(goingAway);
});
