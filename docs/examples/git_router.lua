-- Git by user: git://proxy/alice/project.git goes to the server that has alice's repositories.
--
--     netrecord -s git_router.lua - - 9418 log
--     git clone git://proxy/alice/project.git

local servers = {
	alice = "git1.example.com:9418",
	bob = "git2.example.com:9418",
}

-- "0032git-upload-pack /alice/project.git\0host=proxy\0", the whole of it in the first packet line
function route(data)
	local length = data:match("^%x%x%x%x")
	if #data < 4 or length and #data < tonumber(length, 16) then
		return nil
	end
	local user = data:match("^....git%-%a+%-%a+ /([%w._-]+)/[%w._-]+%z")
	if servers[user] then
		return servers[user]
	end
	return { close = "0024ERR no such user on this server\n" }
end

function connect_error(remote, conn)
	print("git server " .. remote .. " is down, wanted by " .. conn.client)
end
