-- A SOCKS4 and SOCKS4a proxy that records all that passes it.
--
--     netrecord -b 127.0.0.1 -s socks4.lua - - 1080 log
--     curl --socks4 127.0.0.1:1080 http://93.184.216.34/
--     curl --socks4a 127.0.0.1:1080 http://example.com/

local granted = "\0\x5a\0\0\0\0\0\0"
local rejected = "\0\x5b\0\0\0\0\0\0"

-- version, command, port, address, user name and NUL; with 4a a host name and NUL behind it
function route(data)
	if #data < 9 then
		return nil
	end
	local version, command, port, a, b, c, d = string.unpack(">BBI2BBBB", data)
	if version ~= 4 or command ~= 1 then
		return { close = rejected }
	end
	local host, last = string.format("%d.%d.%d.%d", a, b, c, d), data:find("\0", 9, true)
	if last and a + b + c == 0 and d > 0 then
		local from = last + 1
		last = data:find("\0", from, true)
		host = last and data:sub(from, last - 1)
	end
	if not last then
		return nil
	end
	return { remote = host .. ":" .. port, reply = granted, data = data:sub(last + 1) }
end
