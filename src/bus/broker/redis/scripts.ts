/**
 * The scripts that Redis runs for histories. Each runs as one step: nothing happens between its commands.
 *
 * ```
 * PREFIX.store.ROOM         a stream for each room. Its entries are batches; their ids are FIRST-MS: the number of the first message, and
 *                           when it was stored, by the clock of Redis. p: the packet, i: the id of the batch, c: how many messages
 * PREFIX.store..last.ROOM   NUMBER ID of the last message of a room that has lost all batches to its limits, for a while
 * PREFIX.store..late.ID     a batch that was appended by a repeated attempt: the first attempt may still arrive
 * PREFIX.store..bytes       a hash: how much each room takes; and all rooms together, in the field ''
 * PREFIX.store..oldest      the rooms, sorted by the times of their oldest batches
 * ```
 *
 * In the names of keys rooms are written as in subjects, without dots. The scripts use keys that are not among their arguments: those
 * of other rooms that have the oldest batches. So they work with one Redis and its replicas, but not with Redis Cluster.
 */
import { createHash } from 'node:crypto';

/** A script, and the name under which Redis knows it once it was run. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

function script(text: string): RedisScript {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** What an entry takes besides its packet, in bytes: measured with `MEMORY USAGE`. */
export const entryOverhead = 128;

/** Used by both scripts. */
const common = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function decimal(number) return string.format('%.0f', number) end
-- The number of the first message of an entry, when it was stored, its packet, id and count.
local function read(entry)
  local first, at = string.match(entry[1], '^(%d+)-(%d+)$')
  local batch = { entry = entry[1], first = tonumber(first), at = tonumber(at) }
  for i = 1, #entry[2], 2 do batch[entry[2][i]] = entry[2][i + 1] end
  return batch
end
`;

/**
 * Appends a batch.
 *
 * - KEYS: where everything is (PREFIX.store.)
 * - ARGV: room, subject of the room, beginning of the packet, messages, id, count, whether it is repeated (1 or 0), id of the batch after
 *   which it may be, storedMessages, storedAge, storedBytes
 * - returns: the number of its first message, id of the batch before it; or nothing, if a repeated attempt was faster
 */
export const appendScript: RedisScript = script(`${common}
local prefix = KEYS[1]
local room, subject, head, messages, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local count, repeated, known = tonumber(ARGV[6]), ARGV[7] == '1', ARGV[8]
local maxMessages, maxAge, maxBytes = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local stream, sizes, oldest = prefix .. room, prefix .. '.bytes', prefix .. '.oldest'
local remembered, late = prefix .. '.last.' .. room, prefix .. '.late.' .. id

if repeated then
  local from = '+'
  repeat
    local page = redis.call('XREVRANGE', stream, from, '-', 'COUNT', 16)
    local batch
    for i = 1, #page do
      batch = read(page[i])
      if batch.i == id then
        local start = #head + 17
        return { decimal(batch.first), string.sub(batch.p, start + 1, start + string.byte(batch.p, start)) }
      end
      if batch.i == known then page = {} break end
    end
    if batch then from = '(' .. batch.entry end
  until #page < 16
  redis.call('SET', late, 1, 'PX', 600000)
elseif redis.call('EXISTS', late) == 1 then
  return false
end

local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
local first, previous = 1, ''
if last then
  last = read(last)
  first, previous = last.first + tonumber(last.c), last.i
else
  local number, name = string.match(redis.call('GET', remembered) or '', '^(%d+) (.*)$')
  if number then first, previous = number + 1, name end
end

local total = tonumber(redis.call('HGET', sizes, '') or 0)
local function account(name, bytes)
  redis.call('HINCRBY', sizes, name, decimal(bytes))
  redis.call('HINCRBY', sizes, '', decimal(bytes))
  total = total + bytes
end
local function cost(packet) return #packet + ${entryOverhead} end
-- Nothing of a room is left.
local function forget(name)
  account(name, 0 - tonumber(redis.call('HGET', sizes, name) or 0))
  redis.call('HDEL', sizes, name)
  redis.call('ZREM', oldest, name)
  redis.call('DEL', prefix .. name)
end
-- It may have expired, or was deleted by someone else.
if not last then forget(room) end
-- The two oldest batches of a room.
local function oldestOf(name)
  local entries = redis.call('XRANGE', prefix .. name, '-', '+', 'COUNT', 2)
  return entries[1] and read(entries[1]), entries[2] and read(entries[2])
end
local function remove(name, batch, following)
  if following then
    redis.call('XDEL', prefix .. name, batch.entry)
    account(name, -cost(batch.p))
    redis.call('ZADD', oldest, following.at, name)
  else
    forget(name)
    local place = decimal(batch.first + batch.c - 1) .. ' ' .. batch.i
    redis.call('SET', prefix .. '.last.' .. name, place, 'PX', math.max(maxAge, 86400000))
  end
end

local packet = head .. struct.pack('>dd', first, 0) .. string.char(#previous) .. previous .. messages
-- What is appended may displace this number of batches.
local budget = 1000 + math.floor(#packet / ${entryOverhead})

while maxMessages > 0 and budget > 0 do
  local batch, following = oldestOf(room)
  local left = following and following.first or first
  if not batch or first + count - left < maxMessages then break end
  remove(room, batch, following)
  budget = budget - 1
end

while budget > 0 do
  local name, at = unpack(redis.call('ZRANGE', oldest, 0, 0, 'WITHSCORES'))
  if not name then break end
  local tooOld = maxAge > 0 and tonumber(at) <= now - maxAge
  local tooMuch = maxBytes > 0 and total + cost(packet) > maxBytes
  if not tooOld and not tooMuch then break end
  local batch, following = oldestOf(name)
  if batch then remove(name, batch, following) else forget(name) end
  budget = budget - 1
end

account(room, cost(packet))
redis.call('ZADD', oldest, 'NX', now, room)
redis.call('XADD', stream, decimal(first) .. '-' .. decimal(now), 'i', id, 'c', count, 'p', packet)
redis.call('DEL', remembered)
if maxAge > 0 then redis.call('PEXPIRE', stream, maxAge + 86400000) else redis.call('PERSIST', stream) end
redis.call('PUBLISH', subject, packet)
return { decimal(first), previous }
`);

/**
 * Reads a part of a history.
 *
 * - KEYS: where everything is
 * - ARGV: room, `after` or `newest`, the number of the last message that is known or how many are wanted, the most bytes, storedAge
 * - returns: the number of the last message, or 0; then packets in order
 */
export const readScript: RedisScript = script(`${common}
local stream = KEYS[1] .. ARGV[1]
local from, number, maxBytes, maxAge = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local function isFresh(batch) return maxAge == 0 or batch.at > now - maxAge end

local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
last = last and read(last)
if not last or not isFresh(last) then return { '0' } end
local lastNumber = last.first + last.c - 1
local packets, bytes = { decimal(lastNumber) }, 0

if from == 'newest' then
  local found, start = {}, '+'
  repeat
    local page = redis.call('XREVRANGE', stream, start, '-', 'COUNT', 8)
    for i = 1, #page do
      local batch = read(page[i])
      bytes = bytes + #batch.p
      local isEnough = #found > 0 and (lastNumber - batch.first - batch.c + 1 >= number or bytes > maxBytes)
      if isEnough or not isFresh(batch) then page = {} break end
      found[#found + 1] = batch.p
      start = '(' .. batch.entry
    end
  until #page < 8
  for i = #found, 1, -1 do packets[#packets + 1] = found[i] end
  return packets
end

-- From the batch with the number on.
local start = '-'
if number > 0 then
  local before = redis.call('XREVRANGE', stream, decimal(number), '-', 'COUNT', 1)[1]
  before = before and read(before)
  if before and before.first + before.c > number then start = before.entry
  elseif before then start = '(' .. before.entry end
end
local isFull = false
repeat
  local page = redis.call('XRANGE', stream, start, '+', 'COUNT', 16)
  for i = 1, #page do
    local batch = read(page[i])
    start = '(' .. batch.entry
    if isFresh(batch) then
      -- The batch with the number does not count.
      if batch.first > number then
        isFull = bytes > 0 and bytes + #batch.p > maxBytes
        if isFull then break end
        bytes = bytes + #batch.p
      end
      packets[#packets + 1] = batch.p
    end
  end
until isFull or #page < 16
return packets
`);

/** Runs every command of the others without an effect, to see whether they are allowed. KEYS: where everything is; ARGV: subject */
export const probeScript: RedisScript = script(`
local key = KEYS[1] .. '.probe'
redis.call('TIME')
redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
redis.call('XRANGE', key, '-', '+', 'COUNT', 1)
redis.call('XADD', key, 'NOMKSTREAM', '1-1', 'p', '')
redis.call('XDEL', key, '1-1')
redis.call('EXISTS', key)
redis.call('HGET', key, '')
redis.call('HDEL', key, '')
redis.call('ZRANGE', key, 0, 0)
redis.call('ZREM', key, '')
redis.call('ZADD', key, 'XX', 1, '')
redis.call('PEXPIRE', key, 1)
redis.call('PERSIST', key)
redis.call('PUBLISH', ARGV[1], '')
-- A key of its own: without DEL it remains for a moment.
redis.call('SET', key .. '.text', '', 'PX', 1000)
redis.call('GET', key .. '.text')
redis.call('DEL', key .. '.text')
redis.call('HINCRBY', key, '', 0)
redis.call('DEL', key)
`);
