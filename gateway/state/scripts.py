"""What Redis runs: each request's claim and settlement as one atomic step. The arithmetic is that of `gcra.py`.

Redis tells the time (unless a test does), so that replicas whose clocks differ agree. Every key of a holder carries the
same hash tag, so that a cluster keeps them together. Numbers are written with 17 digits: none is lost on the way.
"""

__all__ = ["RESERVE", "SETTLE"]

_CLOCK = """
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = tonumber(t[1]) + tonumber(t[2]) / 1e6
end
local function exact(x) return string.format('%.17g', x) end
"""

# KEYS: requests, tokens, leases, day, month, session
# ARGV: now, requests/min, requests, tokens/min, tokens, places, lease id, lease seconds,
#       day budget, month budget, cost (all nano-USD), seconds to keep what is spent; '' is unlimited or absent
# Returns: refused by, retry after, requests left, requests reset, tokens left, tokens reset, nano-USD left, session,
#          scarcest budget, its share left
RESERVE = (
    _CLOCK
    + """
local refused, retry = '', ''
local function rate(key, limit, amount, name, only_ask)
  if not limit then return nil, 0, nil end
  local tat = tonumber(redis.call('GET', key) or '0')
  local interval = 60 / limit
  local slack = math.min(interval / 2, 0.001)
  local start = math.max(tat, now)
  local over = start + math.max(amount, 1) * interval - now - 60
  local after, granted = start + amount * interval, over <= slack
  if not granted then
    after = start
    if not only_ask and refused == '' then
      refused = name
      if amount <= limit then retry = exact(over) end
    end
  end
  local left = math.floor((60 - (after - now)) / interval + 0.5 * math.min(1, 0.001 / interval) + 1e-9)
  return math.max(0, left), math.max(0, after - now), granted and after or nil
end
local requests, tokens = tonumber(ARGV[3]), tonumber(ARGV[5])
local r_left, r_reset, r_tat = rate(KEYS[1], tonumber(ARGV[2]), requests, 'requests_per_minute', requests == 0)
local t_left, t_reset, t_tat = rate(KEYS[2], tonumber(ARGV[4]), tokens, 'tokens_per_minute', false)
local places, lease = tonumber(ARGV[6]), ARGV[7]
if places and lease ~= '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', exact(now))
  if refused == '' and redis.call('ZCARD', KEYS[3]) >= places then refused = 'max_concurrency' end
end
local cost, usd_left = tonumber(ARGV[11]), nil
local scarcest, share = '', 1
local function budget(key, limit, name)
  if not limit then return end
  local left = limit - tonumber(redis.call('GET', key) or '0')
  if refused == '' and math.max(1, cost) > left then refused = name end
  usd_left = usd_left and math.min(usd_left, left) or left
  local part = left / math.max(limit, 1)
  if scarcest == '' or part < share then scarcest, share = name, part end
end
budget(KEYS[4], tonumber(ARGV[9]), 'budget_usd_per_day')
budget(KEYS[5], tonumber(ARGV[10]), 'budget_usd_per_month')
if refused == '' then
  if r_tat and requests > 0 then redis.call('SET', KEYS[1], exact(r_tat), 'EX', 3600) end
  if t_tat and tokens > 0 then redis.call('SET', KEYS[2], exact(t_tat), 'EX', 3600) end
  if places and lease ~= '' then
    redis.call('ZADD', KEYS[3], exact(now + tonumber(ARGV[8])), lease)
    redis.call('EXPIRE', KEYS[3], 86400)
  end
  if cost ~= 0 then
    for i = 4, 5 do
      redis.call('INCRBY', KEYS[i], ARGV[11])
      redis.call('EXPIRE', KEYS[i], ARGV[12])
    end
    if usd_left then usd_left = usd_left - cost end
  end
end
local function told(x) return x and exact(x) or '' end
return {refused, retry, told(r_left), exact(r_reset), told(t_left), exact(t_reset), told(usd_left),
        redis.call('GET', KEYS[6]) or '', scarcest, exact(share)}
"""
)

# KEYS: tokens, leases, day, month, session
# ARGV: now, tokens/min, tokens more, lease id, cost more (nano-USD), seconds to keep what is spent,
#       session (JSON) and milliseconds to keep it; '' is absent
SETTLE = (
    _CLOCK
    + """
local limit, more = tonumber(ARGV[2]), tonumber(ARGV[3])
if limit and more ~= 0 then
  local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
  redis.call('SET', KEYS[1], exact(math.max(now, tat + more * 60 / limit)), 'EX', 3600)
end
if ARGV[4] ~= '' then redis.call('ZREM', KEYS[2], ARGV[4]) end
if ARGV[5] ~= '0' then
  for i = 3, 4 do
    redis.call('INCRBY', KEYS[i], ARGV[5])
    redis.call('EXPIRE', KEYS[i], ARGV[6])
  end
end
if ARGV[7] ~= '' then redis.call('SET', KEYS[5], ARGV[7], 'PX', ARGV[8]) end
return 1
"""
)
