-- TLS by server name, without the keys of anybody: the name stands in the clear in the ClientHello.
--
--     netrecord -s tls_sni.lua - - 443 log

local servers = {
	["www.example.com"] = "10.0.0.1:443",
	["api.example.com"] = "10.0.0.2:443",
}
local default = nil

-- The handshake's bytes, taken out of TLS records (RFC 8446 section 5.1); nil: more is needed.
local function handshake(data)
	local at, parts, size, wanted = 1, {}, 0, 4
	while size < wanted do
		if #data < at + 4 then
			return nil
		end
		local kind, _, length = string.unpack(">BI2I2", data, at)
		if kind ~= 22 then
			return ""
		end
		if #data < at + 4 + length then
			return nil
		end
		parts[#parts + 1] = data:sub(at + 5, at + 4 + length)
		size, at = size + length, at + 5 + length
		if size >= 4 then
			local _, body = string.unpack(">BI3", table.concat(parts))
			wanted = 4 + body
		end
	end
	return table.concat(parts)
end

-- The host_name of the server_name extension (RFC 6066 section 3); nil: there is none.
local function server_name(hello)
	local _, at = nil, 4 + 2 + 32 + 1
	if hello:byte(1) ~= 1 then
		return nil
	end
	_, at = string.unpack(">s1", hello, at) -- session
	_, at = string.unpack(">s2", hello, at) -- cipher suites
	_, at = string.unpack(">s1", hello, at) -- compression methods
	if at > #hello then
		return nil
	end
	local extensions = string.unpack(">s2", hello, at)
	at = 1
	while at <= #extensions do
		local kind, body
		kind, body, at = string.unpack(">I2s2", extensions, at)
		if kind == 0 then
			return (string.unpack(">s2", body, 4))
		end
	end
	return nil
end

function route(data)
	local hello = handshake(data)
	if not hello then
		return nil
	end
	local fine, name = pcall(server_name, hello) -- a hello that is none is nobody's
	local remote = fine and name and servers[name:lower()] or default
	-- unrecognized_name, a fatal alert
	return remote or { close = "\x15\x03\x03\0\x02\x02\x70" }
end
