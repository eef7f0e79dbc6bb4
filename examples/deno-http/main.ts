import ms from "ms";

// No port is named: the start command tells Deno.serve where to listen.
const server = Deno.serve((request: Request): Response => {
  if (new URL(request.url).pathname === "/up") return new Response("ok\n");
  return new Response(`Hello from deno-http! A day has ${ms("1d")} ms.\n`);
});

Deno.addSignalListener("SIGTERM", async () => {
  await server.shutdown();
  Deno.exit(0);
});
