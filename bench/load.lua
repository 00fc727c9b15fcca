-- What wrk sends, and one line of exact figures for `cargo xtask bench`.
-- Arguments: the method, and how many bytes of body.

local line = "Hello, world!\n"

function init(arguments)
   local size = tonumber(arguments[2])
   wrk.method = arguments[1]
   if size > 0 then
      wrk.body = line:rep(math.ceil(size / #line)):sub(1, size)
   end
end

-- Times are in microseconds.
function done(summary, latency)
   local figures = {
      { "requests", summary.requests },
      { "bytes", summary.bytes },
      { "duration", summary.duration },
      { "p50", latency:percentile(50) },
      { "p99", latency:percentile(99) },
      { "p999", latency:percentile(99.9) },
   }
   for _, kind in ipairs({ "connect", "read", "write", "status", "timeout" }) do
      table.insert(figures, { kind, summary.errors[kind] })
   end
   local words = { "figures" }
   for _, figure in ipairs(figures) do
      table.insert(words, string.format("%s=%.0f", figure[1], figure[2]))
   end
   print(table.concat(words, " "))
end
