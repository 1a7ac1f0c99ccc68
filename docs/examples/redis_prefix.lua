-- Several users of one redis, kept apart by a prefix before each of their keys.
--
--     netrecord -s redis_prefix.lua 127.0.0.1 6379 6380 log
--     redis-cli -p 6380 set colour green          # sets "team1:colour"

local prefix = "team1:"

-- Which arguments are keys: the first, all, or every second.
local first, all, second = { 1, 1, 1 }, { 1, -1, 1 }, { 1, -1, 2 }
local keys = {}
for command, which in pairs({
	["get set setex setnx append strlen getset getdel incr incrby decr decrby expire ttl persist type"] = first,
	["hset hget hgetall hdel hincrby lpush rpush lpop rpop lrange llen sadd srem smembers zadd zrange"] = first,
	["del exists unlink touch mget sinter sunion"] = all,
	["mset msetnx"] = second,
}) do
	for word in command:gmatch("%S+") do
		keys[word] = which
	end
end

-- Commands that name no key pass; what is in neither list is refused, as it might.
local harmless = {}
for word in ("ping echo auth hello select quit client command info multi exec discard"):gmatch("%S+") do
	harmless[word] = true
end

-- "*2\r\n$3\r\nGET\r\n$6\r\ncolour\r\n": its words, and what is behind it; nil: more is needed.
local function command(data)
	local count, at = data:match("^%*(%d+)\r\n()")
	if not count then
		if data:find("^[^*]") then
			error("an inline command: only arrays are understood")
		end
		return nil
	end
	local words = {}
	for i = 1, tonumber(count) do
		local length, from = data:match("^%$(%d+)\r\n()", at)
		length = tonumber(length)
		if not length or #data < from + length + 1 then
			return nil
		end
		words[i], at = data:sub(from, from + length - 1), from + length + 2
	end
	return words, data:sub(at)
end

local function encode(words)
	local out = { "*" .. #words .. "\r\n" }
	for _, word in ipairs(words) do
		out[#out + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
	end
	return table.concat(out)
end

local function add_prefix(words)
	local name = words[1]:lower()
	local which = keys[name]
	if not which then
		if not harmless[name] then
			error("command " .. name .. " is not known to keep to its keys")
		end
		return words
	end
	local last = which[2] < 0 and #words or 1 + which[2]
	for i = 1 + which[1], last, which[3] do
		words[i] = prefix .. words[i]
	end
	return words
end

function client_data(data, conn)
	local rest, out = (conn.rest or "") .. data, {}
	while rest ~= "" do
		local words, behind = command(rest)
		if not words then
			break
		end
		out[#out + 1] = encode(add_prefix(words))
		rest = behind
	end
	conn.rest = rest
	return table.concat(out)
end
