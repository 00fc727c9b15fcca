-- What wrk sends, and one line of exact figures for `cargo xtask bench`.
-- Arguments: the method, how many bytes of body, the mean pause of a connection between two requests in
-- milliseconds, and how many quick requests come before each one whose query is `sleep`; 0 for none of these.

local line = "Hello, world!\n"

function init(arguments)
   local size = tonumber(arguments[2])
   wrk.method = arguments[1]
   if size > 0 then
      wrk.body = line:rep(math.ceil(size / #line)):sub(1, size)
   end
   pause(tonumber(arguments[3]))
   sleep_after(tonumber(arguments[4]))
end

-- Pauses differ, so that the connections do not all ask at the same moment.
function pause(mean)
   if mean > 0 then
      function delay()
         return math.random(0, 2 * mean)
      end
   end
end

function sleep_after(quick)
   if quick > 0 then
      local usual, sleeping = wrk.format(), wrk.format(nil, wrk.path .. "?sleep")
      local asked = 0
      function request()
         asked = (asked + 1) % (quick + 1)
         return asked == 0 and sleeping or usual
      end
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
