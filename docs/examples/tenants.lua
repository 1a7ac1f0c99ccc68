-- A table look-up from a file: the first part of an HTTP path names a tenant, tenants.txt beside this
-- script says where the tenants live. After a change of it: kill -HUP.
--
--     netrecord -s tenants.lua - - 80 log

local folder = (...):match("^.*/") or ""
local servers = {}

for line in io.lines(folder .. "tenants.txt") do
	local tenant, remote = line:match("^([^#%s]%S*)%s+(%S+)")
	if tenant then
		servers[tenant] = remote
	end
end

function route(data)
	local tenant = data:match("^%u+ /([^/?%s]*)[/?%s]")
	if servers[tenant] then
		return { remote = servers[tenant], connect_timeout = 2, inactivity_timeout = 30 }
	elseif tenant or #data > 4096 then
		return { close = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" }
	end
end
