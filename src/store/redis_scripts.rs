//! The scripts of the store in Redis.

/// Claims a key. A claim is stored as `c` and its token, a completed key as `d` and its value.
pub(super) const CLAIM: &str = "\
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return ARGV[1] end
local held = redis.call('GET', KEYS[1])
if held == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return held";

/// Deletes a key if it holds this claim.
pub(super) const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// Reserves a permit of a bucket: returns the microseconds to wait for it, or less than zero
/// without a reservation if that is more than the longest wait. The key holds the time of the next
/// permit. A time that the settings cannot lead to is from a clock that has been set back since.
/// Numbers are written with all digits.
pub(super) const RESERVE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local next = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if next - now > ARGV[2] * 2 + math.max(ARGV[3], 60000000) + ARGV[1] then next = now end
local wait = math.max(next - now - ARGV[2], 0)
if wait > tonumber(ARGV[3]) then return -wait end
next = next + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', string.format('%.0f', (next - now) / 1000 + 1000))
return wait";

/// Moves the next permit of a bucket to a later time.
pub(super) const PAUSE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local next = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now + ARGV[1])
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', string.format('%.0f', (next - now) / 1000 + 1000))
return 1";
