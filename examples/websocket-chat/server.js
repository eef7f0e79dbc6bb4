import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { WebSocketServer, WebSocket } from 'ws';

const port = Number(process.env.PORT ?? 3000);
const page = await readFile(new URL('./public/index.html', import.meta.url));

const server = createServer((request, response) => {
  if (request.url === '/up') {
    response.end('ok\n');
    return;
  }
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end(page);
});

// Whoever connects to /chat hears everything that is said there, and what they said themselves.
const chat = new WebSocketServer({ server, path: '/chat', maxPayload: 4096 });

chat.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (message) => {
    for (const listener of chat.clients) {
      if (listener.readyState === WebSocket.OPEN) listener.send(message.toString());
    }
  });
});

server.listen(port, '0.0.0.0', () => console.log(`listening on port ${port}`));

// 1001, "going away": a good client connects again, and reaches the new instance.
process.on('SIGTERM', () => {
  console.log(`SIGTERM: closing ${chat.clients.size} conversations`);
  for (const socket of chat.clients) socket.close(1001, 'going away');
  server.close();
  server.closeIdleConnections();
});
