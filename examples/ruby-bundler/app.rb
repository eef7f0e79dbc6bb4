# frozen_string_literal: true

require "greeting"
require "webrick"

server = WEBrick::HTTPServer.new(BindAddress: "0.0.0.0", Port: ENV.fetch("PORT", "8000"), AccessLog: [])
server.mount_proc("/") { |_, response| response.body = Greeting.to("ruby-bundler") }
server.mount_proc("/up") { |_, response| response.body = "ok\n" }
trap("TERM") { server.shutdown }
server.start
