#include <string.h>

#include "net/front.h"
#include "net/notice.h"
#include "net/options.h"
#include "net/router.h"

#define SECOND (INT64_C(1000) * 1000 * 1000)

void
front_settings_init(struct front_settings *settings)
{
	memset(settings, 0, sizeof(*settings));
	settings->family = AF_UNSPEC;
	settings->max_connections = SIZE_MAX;
	settings->connect_timeout = 30 * SECOND;
	settings->half_close_timeout = 3600 * SECOND;
	settings->grace = SERVICE_GRACE;
	settings->route_limit = ROUTER_LIMIT;
	settings->route_timeout = ROUTER_TIMEOUT;
	settings->recorder.stall = 5 * SECOND;
}

static int
take_bind(struct front_settings *settings, char *address)
{
	if (settings->bind_count == FRONT_BIND_MAX) {
		notice(NOTICE_ERROR, "--bind: more than %d addresses", FRONT_BIND_MAX);
		return -1;
	}
	settings->binds[settings->bind_count++] = address;
	return 0;
}

static int
take_action(struct front_settings *settings, const char *action)
{
	settings->recorder.close_on_error = strcmp(action, "close") == 0;
	if (settings->recorder.close_on_error || strcmp(action, "pass") == 0)
		return 0;
	notice(NOTICE_ERROR, "--on-log-error: %s is neither pass nor close", action);
	return -1;
}

static int
take_gzip(struct front_settings *settings, const char *level)
{
	long long number = 1;

	if (level != NULL && options_number("--gzip", level, 1, 9, &number) == -1)
		return -1;
	settings->recorder.gzip_level = (int)number;
	return 0;
}

static int
take_max(struct front_settings *settings, const char *text)
{
	long long number;

	if (options_number("--max-connections", text, 1, INT32_MAX, &number) == -1)
		return -1;
	settings->max_connections = (size_t)number;
	return 0;
}

/* Times and sizes. */
static int
take_quantity(struct front_settings *settings, int option, const char *value)
{
	switch (option) {
	case FRONT_ROTATE:
		return options_size("--rotate", value, &settings->recorder.rotate_size);
	case FRONT_KEEP:
		return options_size("--keep", value, &settings->recorder.keep_size);
	case FRONT_CONNECT_TIMEOUT:
		return options_time("--connect-timeout", value, &settings->connect_timeout);
	case FRONT_IDLE_TIMEOUT:
		return options_time("--idle-timeout", value, &settings->idle_timeout);
	case FRONT_HALF_CLOSE_TIMEOUT:
		return options_time("--half-close-timeout", value, &settings->half_close_timeout);
	case FRONT_LOG_STALL:
		return options_time("--log-stall", value, &settings->recorder.stall);
	case FRONT_GRACE:
		return options_time("--grace", value, &settings->grace);
	case FRONT_ROUTE_LIMIT:
		return options_size("--route-limit", value, &settings->route_limit);
	case FRONT_ROUTE_TIMEOUT:
		return options_time("--route-timeout", value, &settings->route_timeout);
	default:
		return 1;
	}
}

int
front_option(struct front_settings *settings, int option, char *value)
{
	if (options_common(option, &settings->family, &settings->verbose))
		return 0;
	switch (option) {
	case 'b':
		return take_bind(settings, value);
	case 'z':
		return take_gzip(settings, value);
	case 's':
		settings->script_path = value;
		return 0;
	case 'm':
		return take_max(settings, value);
	case 'x':
		settings->recorder.exec = value;
		return 0;
	case 'u':
		settings->user = value;
		return 0;
	case FRONT_ON_LOG_ERROR:
		return take_action(settings, value);
	case FRONT_NO_INDEX:
		settings->recorder.no_index = true;
		return 0;
	case FRONT_METRICS:
		settings->metrics_path = value;
		return 0;
	default:
		return take_quantity(settings, option, value);
	}
}
