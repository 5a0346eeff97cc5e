-- SPDX-License-Identifier: Apache-2.0
-- Asks for the paths of a file, one after the other, and prints the outcome as one line that is easy to read.
--   wrk … -s wrk.lua http://127.0.0.1:80 -- FILE

local targets = {}
local turn = 0

function init(args)
  for path in io.lines(args[1]) do
    targets[#targets + 1] = wrk.format(nil, path)
  end
end

function request()
  turn = turn % #targets + 1
  return targets[turn]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    "outcome requests=%d microseconds=%d bytes=%d failed=%d p50=%d p99=%d\n",
    summary.requests, summary.duration, summary.bytes, failed, latency:percentile(50), latency:percentile(99)
  ))
end
