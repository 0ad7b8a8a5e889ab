// Kafka's own definitions of its settings, as JSON: name, type, default and valid values of clients and brokers.
//
// It writes kafka_definitions.json, which lies beside it. Once a lab was up, its cache has the jars; with a JDK:
//   cd factorylab/scenarios/configuration
//   java -cp "$HOME/.cache/factorylab/jars/*" Definitions.java > kafka_definitions.json
//
// The jars of another version than the default one are in jars-VERSION.

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;

public class Definitions {
    public static void main(String[] arguments) throws Exception {
        Map<String, Object> all = new LinkedHashMap<>();
        Properties version = new Properties();  // the class that reads it has another package in each version
        version.load(Definitions.class.getResourceAsStream("/kafka/kafka-version.properties"));
        all.put("version", version.getProperty("version"));
        all.put("producer", keys(ProducerConfig.configDef()));
        all.put("consumer", keys(ConsumerConfig.configDef()));
        all.put("admin", keys(AdminClientConfig.configDef()));
        all.put("broker", keys(kafka.server.KafkaConfig.configDef()));
        System.out.println(new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(all));
    }

    private static Map<String, Object> keys(ConfigDef definition) {
        List<ConfigDef.ConfigKey> sorted = new ArrayList<>(definition.configKeys().values());
        sorted.sort(Comparator.comparing(key -> key.name));
        Map<String, Object> found = new LinkedHashMap<>();
        for (ConfigDef.ConfigKey key : sorted) {
            if (key.internalConfig) continue;
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("type", key.type.name().toLowerCase());
            if (key.hasDefault()) row.put("default", text(key));
            if (key.validator != null) row.put("valid", key.validator.toString());
            found.put(key.name, row);
        }
        return found;
    }

    private static String text(ConfigDef.ConfigKey key) {
        return key.defaultValue == null ? null : ConfigDef.convertToString(key.defaultValue, key.type);
    }
}
