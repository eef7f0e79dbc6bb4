import { readFileSync } from 'node:fs';
import http from 'node:http';
import { greeting } from 'greeting';

const { day } = JSON.parse(readFileSync('day.json', 'utf8'));
const server = http.createServer((request, response) => {
  response.end(`${greeting('node-workspaces')} A day has ${day} ms.\n`);
});
server.listen(Number(process.env.PORT ?? 3000), '0.0.0.0');

process.on('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
