-- Sessions coupled between production and staging: requests copied from production carry production's
-- session cookies, which staging does not know. Staging's own is put in their place.
--
--     netmirror production 80 8080 relay:9000       # copies what production's clients send
--     netrecord -s session_cookie.lua staging 80 9000 log
--
-- A login is answered by staging with a cookie of its own. The first cookie of production that comes
-- behind it on the same connection must be the one that production gave for the same login. The two
-- are a pair from then on, on all connections.

local name = "session"
local pairs_of = {} -- production's -> staging's

local set_cookie = "[Ss]et%-[Cc]ookie:%s*" .. name .. "=([^;\r]+)"

local function rewrite_head(head, conn)
	return (head:gsub("(\r\n[Cc]ookie:[^\r]*)", function(line)
		return (line:gsub("([%s;]" .. name .. "=)([^;]+)", function(before, cookie)
			if not pairs_of[cookie] and conn.given then
				pairs_of[cookie], conn.given = conn.given, nil
			end
			return before .. (pairs_of[cookie] or cookie)
		end))
	end))
end

-- Requests may come in any pieces: a head is rewritten when it is whole, a body passes as it comes.
function client_data(data, conn)
	local out, rest = {}, (conn.rest or "") .. data
	if data == "" then
		return rest
	end
	while rest ~= "" do
		if (conn.body or 0) > 0 then
			out[#out + 1] = rest:sub(1, conn.body)
			conn.body, rest = conn.body - #out[#out], rest:sub(conn.body + 1)
		else
			local last = select(2, rest:find("\r\n\r\n", 1, true))
			if not last then
				break
			end
			local head = rest:sub(1, last)
			out[#out + 1] = rewrite_head(head, conn)
			conn.body = tonumber(head:match("\r\n[Cc]ontent%-[Ll]ength:%s*(%d+)"))
			rest = rest:sub(last + 1)
		end
	end
	conn.rest = rest
	return table.concat(out)
end

-- Answers pass as they are. The end of each piece is kept, as a header may be cut in two.
function server_data(data, conn)
	local text = (conn.tail or "") .. data
	for cookie in text:gmatch(set_cookie .. "[;\r]") do
		conn.given = cookie
	end
	conn.tail = text:sub(-200):match("[^\n]*$")
end
