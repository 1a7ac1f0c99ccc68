-- HTTP by host name: the first request's Host header says where the connection goes.
--
--     netrecord -s http_host.lua - - 80 log

local servers = {
	["www.example.com"] = "10.0.0.1:80",
	["api.example.com"] = "10.0.0.2:80",
}

local unknown = "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

function route(data)
	local head = data:match("^(.-\r\n)\r\n")
	if not head then
		return nil
	end
	for name, value in head:gmatch("\r\n([%w-]+):%s*([^\r]*)") do
		if name:lower() == "host" then
			local host = value:lower():gsub(":%d+%s*$", "")
			return servers[host] or { close = unknown }
		end
	end
	return { close = unknown }
end
